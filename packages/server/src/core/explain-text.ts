import { SENTENCES, type SentenceKey } from './explain-sentences.ts';

/** Times as ISO 8601. Texts from outside are short and plain. */
export type Parameters = Readonly<Record<string, string | number>>;

/** One sentence of an explanation: its key and parameters for translators, and the English of it. */
export type Remark = {
  readonly key: SentenceKey;
  readonly parameters: Parameters;
  readonly sentence: string;
};

export function remark(key: SentenceKey, parameters: Parameters = {}): Remark {
  return { key, parameters, sentence: render(SENTENCES[key], parameters) };
}

function render(template: string, parameters: Parameters): string {
  return template.replaceAll(/\{(\w+)(?:\|(time|day))?\}/g, (_all, name: string, form?: string) => {
    const value = String(parameters[name] ?? '');
    if (form === 'day') return value.slice(0, 10);
    return form === 'time' ? `${value.slice(0, 10)} ${value.slice(11, 16)} UTC` : value;
  });
}

/** A moment as a parameter; years of five digits would not fit, and no certificate needs them. */
export function instant(ms: number): string {
  const latest = Date.UTC(9999, 11, 31);
  return new Date(Math.max(0, Math.min(ms, latest))).toISOString();
}

export function seconds(ms: number): number {
  return Math.round(ms / 100) / 10;
}

const LONGEST = 200;

/** A name or code as it may stand in a sentence: no control, format or direction characters. */
export function plain(text: string): string {
  return text.slice(0, LONGEST).replaceAll(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, '\uFFFD');
}

/**
 * A URI that a receiver chose: without its query and user name, which may hold credentials, and with
 * everything escaped that stands in no URI, so that it is harmless wherever it is shown.
 */
export function plainUri(uri: string): string {
  const path = uri.slice(0, 2000).split(/[?#]/, 1)[0] ?? '';
  const named = path.replace(/^([a-z][a-z0-9+.-]*:)?\/\/[^/@]*@/i, '$1//');
  return named
    .toWellFormed()
    .replaceAll(/[^\w\-.~:/[\]@!$&()*+,;=%]/gu, (character) => encodeURIComponent(character))
    .slice(0, LONGEST);
}
