// Asks DNS about every record of a domain. The network part of a check: no transaction is open meanwhile.
import type { PublicDkimKey } from '#/db/dkim-keys.ts';
import type { DomainRow } from '#/db/domains.ts';
import type { Dns, TextAnswer } from '#/runtime/ports.ts';
import { type ExpectedRecord, expectedRecords } from './expected-records.ts';
import { judgeDkim, judgeDmarc, judgeDoubled, judgeReturnPath, judgeSpf, type Judgement } from './judge-record.ts';

export interface Observation extends Judgement {
  readonly record: ExpectedRecord;
}

interface ObserveDeps {
  readonly dns: Dns;
  readonly mailHost: string;
}

export async function observeDomain(
  deps: ObserveDeps,
  domain: DomainRow,
  keys: readonly PublicDkimKey[],
): Promise<readonly Observation[]> {
  const records = expectedRecords(domain, keys, deps.mailHost);
  const returnPath = Promise.resolve(records.find(({ purpose }) => purpose === 'RETURN_PATH')).then(
    async (record): Promise<Judgement> =>
      record === undefined
        ? { state: 'UNKNOWN', found: [], problem: null }
        : judgeReturnPath(record, await deps.dns.cname(record.host)),
  );
  return Promise.all(
    records.map(async (record) => ({ record, ...(await judge(deps.dns, domain.name, record, returnPath)) })),
  );
}

async function judge(
  dns: Dns,
  domain: string,
  record: ExpectedRecord,
  returnPath: Promise<Judgement>,
): Promise<Judgement> {
  switch (record.purpose) {
    case 'RETURN_PATH':
      return returnPath;
    case 'DMARC':
      return judgeDmarc(await dmarcOf(dns, domain));
    case 'SPF':
      return judgeSpf(record, await dns.txt(record.host), await returnPath);
    default: {
      const judged = judgeDkim(record, await dns.txt(record.host));
      if (judged.state !== 'MISSING' || record.purpose === 'DKIM_RETIRED') return judged;
      return judgeDoubled(record, domain, await dns.txt(`${record.host}.${domain}`)) ?? judged;
    }
  }
}

/** RFC 7489 §6.6.3 asks at the organizational domain too; walking up finds it without a list of public suffixes. */
async function dmarcOf(dns: Dns, domain: string): Promise<readonly TextAnswer[]> {
  const answers: TextAnswer[] = [];
  const labels = domain.split('.');
  for (let from = 0; from < labels.length - 1; from++) {
    const answer = await dns.txt(`_dmarc.${labels.slice(from).join('.')}`);
    answers.push(answer);
    if (answer.kind === 'failed' || (answer.kind === 'texts' && answer.texts.some((text) => /DMARC1/i.test(text)))) {
      break;
    }
  }
  return answers;
}
