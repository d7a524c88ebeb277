/**
 * Json.NET, and so every ASP.NET WebHooks server, also reads comments, strings in single quotes and
 * a comma before a closing bracket. Rewrites these as strict JSON; what is not JSON even so stays so.
 */
export function strictJson(text: string): string {
  return text
    .replaceAll(TOKENS, (token, single: string | undefined, end: string | undefined) => {
      if (single !== undefined) return end === '' ? token : requote(single);
      return token.startsWith('/') ? ' ' : token;
    })
    .replaceAll(TRAILING_COMMAS, '$1$2');
}

/**
 * A string in double quotes, the inside of one in single quotes, or a comment. One that is not closed
 * reaches to the end: looking for its end again from each quote inside would take quadratic time.
 */
const TOKENS =
  /"(?:[^"\\]|\\[\s\S])*"?|'((?:[^'\\]|\\[\s\S])*)('?)|\/\*[\s\S]*?(?:\*\/|$)|\/\/[^\n]*/g;

/** A string is matched first, so that commas inside it are left alone. */
const TRAILING_COMMAS = /("(?:[^"\\]|\\[\s\S])*"?)|,\s*([}\]])/g;

function requote(inside: string): string {
  const escaped = inside.replaceAll(/\\[\s\S]|"/g, (found) => {
    if (found === '"') return String.raw`\"`;
    return found === String.raw`\'` ? "'" : found;
  });
  return `"${escaped}"`;
}
