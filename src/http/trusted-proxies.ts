import { compile } from '@fastify/proxy-addr';

/** The name in `trustProxy` for a proxy that connects by a Unix socket, since it has no address. */
export const unixProxy = 'unix';

/**
 * Whether an address belongs to a trusted proxy, as a function for Fastify's `trustProxy`. `false` if there are no trusted
 * proxies, which spares a check for every request.
 */
export function trustedProxies(proxies: readonly string[]): false | ((address: string | undefined) => boolean) {
  if (proxies.length === 0) return false;
  const trustsUnix = proxies.includes(unixProxy);
  const isInNetwork = compile(proxies.filter((proxy) => proxy !== unixProxy));
  return (address) => (address === undefined ? trustsUnix : isInNetwork(address, 0));
}
