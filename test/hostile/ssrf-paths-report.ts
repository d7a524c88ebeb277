/** Every path by which a request leaves for a registered URI. */
export const PATHS = ['create', 'update', 'echo', 'test', 'delivery'] as const;
export type Path = (typeof PATHS)[number];

/** What the process inside the namespace found. */
export type PathsReport = Readonly<
  Record<
    Path,
    readonly {
      readonly id: string;
      /** A status of the API, a class of outcome, or `verified`; several for a delivery. */
      readonly ends: readonly string[];
      /** What a tenant was told. */
      readonly told: string;
    }[]
  >
> & {
  /** Each connection that came about: where, and the host and path that were asked for on it. */
  readonly reached: Readonly<
    Record<
      Path,
      readonly { readonly address: string; readonly port: number; readonly request: string }[]
    >
  >;
  /** Denied places that the script itself connected to, and which of them a listener saw. */
  readonly tried: readonly string[];
  readonly seen: readonly string[];
};
