// Forms of pages: how their fields are written, what came back, and what is said beside a field that is wrong.
import { type ExpectedError, InvalidInput, WeakPassword } from '#/domain/errors.ts';
import { escape } from './html.ts';

export interface Field<V extends string = string> {
  readonly name: V;
  readonly label: string;
  readonly type: 'text' | 'email' | 'password';
  /** For password managers and for people who do not want to type (WCAG 1.3.5). */
  readonly autocomplete: 'email' | 'name' | 'organization' | 'new-password' | 'current-password';
  readonly hint?: string;
  /** May be left empty. */
  readonly optional?: true;
}

export interface Form {
  readonly fields: readonly Field[];
  readonly button: string;
  /** Shown, and told to password managers, and not to be changed. */
  readonly username: string | null;
}

/** `general`: what belongs to no field. */
export interface FormErrors {
  readonly byField: ReadonlyMap<string, readonly string[]>;
  readonly general: readonly string[];
}

export const noErrors: FormErrors = { byField: new Map(), general: [] };

export function renderForm(
  { fields, button, username }: Form,
  values: Readonly<Record<string, string>>,
  errors: FormErrors,
): string {
  const all = [
    ...errors.general.map((text) => `<p class="error" role="alert">${escape(text)}</p>`),
    '<form method="post">',
    ...(username === null ? [] : [renderUsername(username)]),
    ...fields.map((field) => renderField(field, values[field.name] ?? '', errors.byField.get(field.name) ?? [])),
    `<button type="submit">${escape(button)}</button>`,
    '</form>',
  ];
  return all.join('\n');
}

function renderUsername(username: string): string {
  return `<label for="username">Address</label>
<input id="username" type="email" autocomplete="username" readonly value="${escape(username)}">`;
}

/** What was typed comes back, but for passwords. */
function renderField(field: Field, value: string, errors: readonly string[]): string {
  const { name, label, type, autocomplete, hint } = field;
  const described = [
    ...(hint === undefined ? [] : [`${name}-hint`]),
    ...(errors.length === 0 ? [] : [`${name}-error`]),
  ];
  const attributes = [
    `id="${name}" name="${name}" type="${type}" autocomplete="${autocomplete}"`,
    ...(field.optional === true ? [] : ['required']),
    ...(type === 'password' || value === '' ? [] : [`value="${escape(value)}"`]),
    ...(described.length === 0 ? [] : [`aria-describedby="${described.join(' ')}"`]),
    ...(errors.length === 0 ? [] : ['aria-invalid="true"']),
  ];
  return [
    `<label for="${name}">${escape(label)}</label>`,
    `<input ${attributes.join(' ')}>`,
    ...(hint === undefined ? [] : [`<p class="hint" id="${name}-hint">${escape(hint)}</p>`]),
    ...(errors.length === 0 ? [] : [`<p class="error" id="${name}-error">${errors.map(escape).join('<br>')}</p>`]),
  ].join('\n');
}

/** The values of `fields`, each once; empty where there is none. */
export function readForm(fields: readonly Field[], body: string): Record<string, string> {
  const given = new URLSearchParams(body);
  return Object.fromEntries(fields.map(({ name }) => [name, given.get(name) ?? '']));
}

/** Null: nothing that could be mended in these fields. */
export function errorsOf(fields: readonly Field[], error: ExpectedError): FormErrors | null {
  if (error instanceof WeakPassword) {
    const field = fields.find(({ autocomplete }) => autocomplete === 'new-password');
    return field === undefined
      ? null
      : { byField: new Map([[field.name, [error.message, ...error.suggestions]]]), general: [] };
  }
  if (!(error instanceof InvalidInput)) return null;
  const known = new Set(fields.map(({ name }) => name));
  const byField = new Map<string, string[]>();
  const general: string[] = [];
  for (const { path, message } of error.issues) {
    const [name = ''] = path;
    if (known.has(name)) byField.set(name, [...(byField.get(name) ?? []), sentence(`This ${message}`)]);
    else general.push(sentence(`${name} ${message}`.trim()));
  }
  return { byField, general };
}

function sentence(text: string): string {
  return `${text}.`;
}
