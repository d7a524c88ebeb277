/**
 * How many values fell into each bucket. Buckets are log-scaled, four to a doubling, so that a
 * percentile is right to within ten per cent from a millisecond to a month, and histograms of
 * different times or nodes add up bucket by bucket. Trailing buckets that are empty are left out.
 */
export type Histogram = number[];

const PER_DOUBLING = 4;
/** About four months in milliseconds. */
const LAST_BUCKET = 34 * PER_DOUBLING;

/** Counts a number of milliseconds; what is below one counts as nothing. */
export function observe(histogram: Histogram, ms: number): void {
  addTo(histogram, bucketOf(ms), 1);
}

export function addHistogram(into: Histogram, from: Histogram): void {
  from.forEach((count, bucket) => {
    if (count > 0) addTo(into, bucket, count);
  });
}

/** The milliseconds that this share of all values is at or below; null where there are none. */
export function percentile(histogram: Histogram, share: number): number | null {
  const total = histogram.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  const rank = Math.max(1, Math.ceil(total * share));
  let seen = 0;
  const bucket = histogram.findIndex((count) => (seen += count) >= rank);
  return middleOf(bucket);
}

function bucketOf(ms: number): number {
  if (!(ms >= 1)) return 0;
  return Math.min(LAST_BUCKET, 1 + Math.floor(Math.log2(ms) * PER_DOUBLING));
}

/** The middle of a bucket by proportion: no value in it is further away than ten per cent. */
function middleOf(bucket: number): number {
  return bucket === 0 ? 0 : Math.round(2 ** ((bucket - 0.5) / PER_DOUBLING));
}

function addTo(histogram: Histogram, bucket: number, count: number): void {
  while (histogram.length <= bucket) histogram.push(0);
  histogram[bucket] = (histogram[bucket] ?? 0) + count;
}
