// The TXT record by which a domain says that it has an MTA-STS policy, RFC 8461 §3.1.

const VERSION = 'v=STSv1;';
const DELIMITER = /[ \t]*;[ \t]*/;
const ID = /^[A-Za-z0-9]{1,32}$/;
const FIELD = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}=[\x21-\x3a\x3c\x3e-\x7e]+$/;

/**
 * The id of the policy; null: there is none. Several records of that version mean none either, and so does one that is
 * not as the grammar has it.
 */
export function readStsRecord(texts: readonly string[]): string | null {
  const [record, ...more] = texts.filter((text) => /^v=STSv1[ \t]*;/.test(text));
  if (record === undefined || more.length > 0 || record.length > 1_024) return null;
  const fields = record.slice(VERSION.length - 1).split(DELIMITER);
  // What stands before the first delimiter, and after the last when it ends the record, is empty.
  if (fields.shift() !== '') return null;
  if (fields.at(-1)?.trim() === '') fields.pop();
  if (!fields.every((field) => FIELD.test(field))) return null;
  const id = fields.find((field) => field.startsWith('id='))?.slice('id='.length);
  return id !== undefined && ID.test(id) ? id : null;
}
