// The real program with two workers: both share the SMTP ports and the certificate, and what was answered with 250 is
// there after everything was killed.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { once } from 'node:events';
import { createTransport } from 'nodemailer';
import { expect, test } from 'vitest';
import { request } from '../support/graphql-client.ts';
import { bootstrapProgram, freePort, type Settings, startProgram } from '../support/program.ts';

async function fingerprint(port: number): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}

test('what was accepted over SMTP survives kill -9', { timeout: 180_000 }, async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'veredus-submission-'));
  const submissions = await freePort();
  const settings: Settings = {
    VEREDUS_DATA_DIR: dataDir,
    VEREDUS_HTTP_PORT: String(await freePort()),
    VEREDUS_SUBMISSION_PORT: String(await freePort()),
    VEREDUS_SUBMISSIONS_PORT: String(submissions),
    VEREDUS_HELO_NAME: 'mail.acme.example',
    VEREDUS_WORKERS: '2',
  };
  let program = await startProgram(settings);
  try {
    const { serverToken } = await bootstrapProgram(settings, [
      ...['--account', 'Acme', '--owner-email', 'owner@acme.example', '--server', 'Production'],
      ...['--delivery', 'sandbox', '--verified-domain', 'acme.example'],
    ]);
    const prints = new Set<string>();
    for (let index = 0; index < 6; index++) prints.add(await fingerprint(submissions));
    expect(prints.size).toBe(1);

    const transport = createTransport({
      pool: true,
      maxConnections: 4,
      host: '127.0.0.1',
      port: submissions,
      secure: true,
      auth: { user: serverToken, pass: serverToken },
      tls: { rejectUnauthorized: false },
    });
    const sent = await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        transport.sendMail({
          from: 'app@acme.example',
          to: `r${index}@receiver.example`,
          subject: `Mail ${index}`,
          text: 'Hi',
        }),
      ),
    );
    await program.kill();
    transport.close();
    program = await startProgram(settings);
    expect(await fingerprint(submissions)).toBe([...prints][0]);
    for (const { response } of sent) {
      const id = response.slice(response.lastIndexOf(' ') + 1);
      const { message } = await request<{ message: { subject: string } | null }>(
        program.url,
        serverToken,
        'query ($id: ID!) { message(id: $id) { subject } }',
        { id },
      );
      expect(message?.subject).toMatch(/^Mail \d+$/);
    }
  } finally {
    await program.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
});
