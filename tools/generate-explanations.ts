import { writeFileSync } from 'node:fs';
import { SENTENCES } from '../packages/server/src/core/explain-sentences.ts';

/** Where the page on explanations lies. */
export const PAGE = new URL('../docs/explanations.md', import.meta.url);

/** The text of the page: every sentence of the catalogue by its key. */
export function generateExplanations(): string {
  const rows = Object.entries(SENTENCES).map(
    ([key, text]) => `| \`${key}\` | ${text.replaceAll('|', '\\|')} |`,
  );
  return `# Explanations

Every attempt in the log says in \`Sentence\` what happened and what to do about it. \`Explanation\` holds the same for
translators: a list of \`{"Key", "Parameters"}\`, one for each sentence, in order. Keys keep their meaning; wording may
improve. Parameters from outside (the host of a URI, the Location of a redirect) are cut short, and hold no control
characters, queries or user names; they are plain text all the same, to be escaped like any other.

Times are ISO 8601 in \`Parameters\`; \`|time\` and \`|day\` below say how the English sentence shows them.

| key | sentence |
| --- | --- |
${rows.join('\n')}
`;
}

if (import.meta.main) writeFileSync(PAGE, generateExplanations());
