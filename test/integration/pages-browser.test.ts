// A page behind a link in a real browser: without script, on a narrow screen, with what browsers send along with forms.
import { accessSync, constants } from 'node:fs';
import { chromium } from 'playwright-core';
import { expect, test } from 'vitest';
import { makeFirstAccount } from '#/resolvers/installation/first-account.ts';
import { startApp } from '../support/app.ts';

const BROWSERS = [
  process.env['CHROMIUM'] ?? '',
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
];

function findBrowser(): string | undefined {
  return BROWSERS.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return path !== '';
    } catch {
      return false;
    }
  });
}

test('the owner is made on a screen of 320 pixels, after a first try that was wrong', async ({ skip }) => {
  const executablePath = findBrowser();
  if (executablePath === undefined) return skip('no Chromium was found: set CHROMIUM to its path');
  await using app = await startApp({ VEREDUS_ROLES: 'api' });
  const setup = await makeFirstAccount(app.node.deps, 'sandbox.example');
  await using browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  const context = await browser.newContext({ viewport: { width: 320, height: 568 }, javaScriptEnabled: false });
  const page = await context.newPage();
  const refused: string[] = [];
  page.on(
    'console',
    (message) => void (message.text().includes('Content Security Policy') && refused.push(message.text())),
  );
  // Boxes are measured from outside: the page runs no script.
  const widest = async () => {
    const boxes = await Promise.all((await page.locator('body *').all()).map((element) => element.boundingBox()));
    return Math.max(...boxes.map((box) => (box === null ? 0 : box.x + box.width)));
  };

  await page.goto(`${app.url}/setup/${setup?.setupSecret}`);
  expect(await widest()).toBeLessThanOrEqual(320);
  await page.getByLabel('Address').fill('owner-with-a-long-name@a-domain-that-is-rather-long.example');
  await page.getByLabel('Your name').fill('Olga');
  await page.getByLabel('Password').fill('password1');
  await page.getByRole('button').click();
  expect(await page.locator('#password-error').innerText()).toContain('The password');
  expect(await widest()).toBeLessThanOrEqual(320);
  expect(await page.getByLabel('Your name').inputValue()).toBe('Olga');
  expect(await page.getByLabel('Password').inputValue()).toBe('');

  await page.getByLabel('Password').fill('correct horse battery staple');
  await page.getByRole('button').click();
  expect(await page.locator('main').innerText()).toContain('You own the first account');
  const cookies = await context.cookies();
  expect(cookies.map(({ name, httpOnly, sameSite }) => [name, httpOnly, sameSite])).toContainEqual([
    '__Host-veredus-session',
    true,
    'Strict',
  ]);
  expect(refused).toEqual([]);
});
