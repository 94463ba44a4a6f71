/*
 * What pages of other sites may do (Fetch §3.3): by an answer's Access-Control headers, or by a rule of a bucket. Names are
 * compared in any letter case.
 */

/** Methods, request headers, and response headers that a page may read. */
interface CorsNames {
  readonly methods: readonly string[];
  readonly headers: readonly string[];
  readonly exposed: readonly string[];
}

/** What a server or a bucket allows; `*` among the names is all of them but Authorization (Fetch §3.3.4). */
export interface CorsGrant extends CorsNames {
  /** Whether it holds for pages of all sites, also those whose origin is `null`, as it is after a redirect (Fetch §4.4). */
  readonly isForAllSites: boolean;
}

/** What web clients need to fetch uploads. Browsers need GET and HEAD named in a bucket's rules only (Fetch §2.2.1). */
export const downloadNeeds = {
  methods: ['GET', 'HEAD'],
  headers: ['Range'],
  exposed: ['Content-Length', 'Content-Range', 'ETag'],
} as const satisfies CorsNames;

/** What web clients need to upload by a signed URL. */
export const uploadNeeds = { methods: ['PUT'], headers: ['Content-Type'], exposed: [] } as const satisfies CorsNames;

function missing(allowed: readonly string[], needed: readonly string[]): string[] {
  const names = new Set(allowed.map((name) => name.toLowerCase()));
  return needed.filter((name) => !names.has(name.toLowerCase()) && (name === 'Authorization' || !names.has('*')));
}

/** What web clients need and are not allowed, in words such as `the method PUT`; empty where nothing is missing. */
export function missingFor(needs: CorsNames, grant: CorsGrant): string[] {
  return [
    ...(grant.isForAllSites ? [] : ['all origins (*)']),
    ...missing(grant.methods, needs.methods).map((method) => `the method ${method}`),
    ...missing(grant.headers, needs.headers).map((header) => `the header ${header}`),
    ...missing(grant.exposed, needs.exposed).map((header) => `reading ${header}`),
  ];
}
