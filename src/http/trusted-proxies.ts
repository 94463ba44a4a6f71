import { compile } from '@fastify/proxy-addr';

/** What `trustProxy` calls the proxy at the other end of a Unix socket, which has no address. */
export const unixProxy = 'unix';

/**
 * Whether the sender of a request or of its X-Forwarded-For may be believed, in the form that Fastify asks for;
 * `false` where nobody is, since an empty list would be gone through for every request.
 */
export function trustedProxies(proxies: readonly string[]): false | ((address: string | undefined) => boolean) {
  if (proxies.length === 0) return false;
  const trustsUnix = proxies.includes(unixProxy);
  const isInNetwork = compile(proxies.filter((proxy) => proxy !== unixProxy));
  return (address) => (address === undefined ? trustsUnix : isInNetwork(address, 0));
}
