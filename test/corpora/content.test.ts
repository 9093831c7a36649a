// Contents of real mail against what other people expect of them: decoded MIME, DMARC reports, stripped replies.
import { beforeAll, describe, expect, test } from 'vitest';
import {
  hasCorpora,
  inspectCorpus,
  lineEnds,
  percent,
  type Score,
  type Scores,
  score,
  sum,
} from '../../bench/corpora.ts';

const fields = ['from', 'to', 'cc', 'reply_to', 'subject', 'message_id', 'date', 'text', 'html', 'attachments_count'];
const share = (scores: Scores, name: string) => percent(scores[name] ?? { right: 0, of: 1 });

describe.skipIf(!hasCorpora)('shared corpora, which have to lie beside the repository', () => {
  describe.each(lineEnds)('with line ends %s', (ends) => {
    let mime: Scores;
    let alone: Scores;
    let reports: Scores;
    let replies: Scores;
    let slowest = 0;

    beforeAll(async () => {
      const messages = await inspectCorpus('mime', ends);
      mime = score('mime', 'mime', messages);
      alone = score('notbounce', 'mime', messages);
      reports = score('dmarc', 'dmarc-aggregate', await inspectCorpus('dmarc-aggregate', ends));
      const stripped = await inspectCorpus('stripped-replies', ends);
      replies = score('reply', 'stripped-replies', stripped);
      slowest = Math.max(...stripped.map(({ ms }) => ms));
    });

    test('MIME is decoded', () => {
      expect(share(mime, 'no_crash')).toBe(100);
      const known = fields.flatMap((name): Score[] => (mime[name] === undefined ? [] : [mime[name]]));
      expect(known).toHaveLength(fields.length);
      expect(percent(sum(known))).toBeGreaterThanOrEqual(99);
      for (const name of fields) expect([name, share(mime, name) >= 99]).toEqual([name, true]);
      expect(share(mime, 'attachment_bytes')).toBeGreaterThanOrEqual(95);
      expect(share(mime, 'upstream_attachment_bytes')).toBeGreaterThanOrEqual(95);
    });

    test('ordinary mail is left alone', () => {
      expect(share(alone, 'left_alone')).toBe(100);
    });

    test('DMARC reports are read, and what is none is refused', () => {
      expect(share(reports, 'accepts')).toBe(100);
      expect(share(reports, 'report')).toBeGreaterThanOrEqual(95);
      expect(share(reports, 'rows')).toBeGreaterThanOrEqual(95);
    });

    test('replies are stripped, each kind of them', () => {
      const kinds = Object.keys(replies).filter((name) => name.startsWith('reply '));
      expect(kinds.length).toBeGreaterThanOrEqual(5);
      for (const kind of kinds) expect([kind, share(replies, kind) >= 85]).toEqual([kind, true]);
      expect(slowest).toBeLessThan(200);
    });
  });
});
