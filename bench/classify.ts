// How well the program reads what comes back and what comes in, on the shared corpora: bounces, complaints and SMTP replies;
// contents, reports and replies of people. No database, and nothing that depends on the machine but the times.
import { classifyBounces } from './classify-bounces.ts';
import { classifyContent } from './classify-content.ts';
import type { Context, Outcome } from './scenario.ts';

export async function classify(context: Context): Promise<readonly Outcome[]> {
  return [...(await classifyBounces(context)), ...(await classifyContent())];
}
