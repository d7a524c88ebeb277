import { JsonScanner } from './json-scan.ts';

/** The members of an object in order, duplicates and all: decoded key and the value as written. */
export function readMembers(text: string): [key: string, value: string][] {
  const scanner = new JsonScanner(text);
  const members: [string, string][] = [];
  scanner.object((key) => members.push([key, scanner.raw()]));
  scanner.expectEnd();
  return members;
}

/** The items of an array in order, each as written. */
export function readItems(text: string): string[] {
  const scanner = new JsonScanner(text);
  const items: string[] = [];
  scanner.array(() => items.push(scanner.raw()));
  scanner.expectEnd();
  return items;
}

/** The same JSON without insignificant white space; strings and numbers keep their spelling. Throws JsonError. */
export function compactJson(text: string): string {
  const scanner = new JsonScanner(text);
  scanner.skip();
  scanner.expectEnd();
  return text.replaceAll(/("(?:[^"\\]|\\.)*")|[ \t\r\n]+/g, '$1');
}
