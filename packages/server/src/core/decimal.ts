/** A JSON number by its exact value: `0.<digits> × 10^exponent`. Zero has no digits. */
export type Decimal = {
  readonly isNegative: boolean;
  /** Without zeros at either end. */
  readonly digits: string;
  readonly exponent: number;
};

const ZERO = 0x30;

/**
 * Exponents further out count as this one. Whatever is compared with a number of a usual exponent,
 * such as one that a condition may hold, compares as its exact value would.
 */
const FURTHEST_EXPONENT = 1e12;

/** Reads what JSON calls a number, in time that grows with its length alone. */
export function readDecimal(text: string): Decimal {
  const [, minus = '', whole = '', fraction = '', power = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  const all = whole + fraction;
  let start = 0;
  let end = all.length;
  while (start < end && all.charCodeAt(start) === ZERO) start += 1;
  while (end > start && all.charCodeAt(end - 1) === ZERO) end -= 1;
  if (start === end) return { isNegative: false, digits: '', exponent: 0 };
  const shift = Math.max(-FURTHEST_EXPONENT, Math.min(FURTHEST_EXPONENT, Number(power)));
  return {
    isNegative: minus === '-',
    digits: all.slice(start, end),
    exponent: whole.length - start + shift,
  };
}

/** Below 0 when the first is less, 0 when both are one number, above 0 when it is more. */
export function compareDecimals(one: Decimal, other: Decimal): number {
  const sign = signOf(one);
  if (sign !== signOf(other)) return sign - signOf(other);
  if (one.exponent !== other.exponent) return sign * (one.exponent - other.exponent);
  if (one.digits === other.digits) return 0;
  return one.digits < other.digits ? -sign : sign;
}

/** One text for all spellings of one number. */
export function decimalKey({ isNegative, digits, exponent }: Decimal): string {
  return `${isNegative ? '-' : ''}${digits}e${exponent}`;
}

function signOf({ isNegative, digits }: Decimal): number {
  if (digits === '') return 0;
  return isNegative ? -1 : 1;
}
