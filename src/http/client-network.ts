/*
 * Clients are distinguished by their address, unless it may be that of a proxy. Behind a proxy that is not in `trustProxy`,
 * all clients have the proxy's address. It is private if the proxy is on the same host, in a container network or in the LAN.
 */
import { BlockList, isIP } from 'node:net';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

const privateNetworks = new BlockList();
for (const [network, bits] of [
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
] as const) {
  privateNetworks.addSubnet(network, bits, 'ipv4');
}
privateNetworks.addSubnet('fc00::', 7, 'ipv6');
privateNetworks.addSubnet('fe80::', 10, 'ipv6');

/** The first 64 bits of an IPv6 address: providers give each customer at least a /64 (RFC 6177). */
function networkOf(address: string): string {
  const [head = '', tail] = address.split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const after = tail === '' ? [] : tail.split(':');
    while (groups.length + after.length < 8) groups.push('0');
    groups.push(...after);
  }
  const prefix = groups.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${prefix.join(':')}::/64`;
}

/**
 * What a client is counted by: its IPv4 address, or the /64 network of its IPv6 address; `undefined` if it may be a proxy.
 * `client` is the address that trusted proxies report, `peer` the other end of the connection.
 */
export function clientNetwork(client: string | undefined, peer: string | undefined): string | undefined {
  const address = client?.replace(/^::ffff:(?=\d+\.)/i, '');
  const version = isIP(address ?? '');
  if (address === undefined || version === 0) return undefined;
  const family = version === 4 ? 'ipv4' : 'ipv6';
  if (loopback.check(address, family)) return undefined;
  if (client === peer && privateNetworks.check(address, family)) return undefined;
  return version === 4 ? address : networkOf(address);
}
