import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { clientNetwork } from '../../src/http/client-network.js';

describe('the network of a client', () => {
  const proxy = '10.0.0.1';
  const cases: [client: string | undefined, peer: string | undefined, expected: string | undefined][] = [
    ['192.0.2.1', '192.0.2.1', '192.0.2.1'],
    ['192.0.2.1', proxy, '192.0.2.1'],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:0:1:2:3:4:5', proxy, '2001:db8:0:1::/64'],
    ['2001:DB8::', '2001:DB8::', '2001:db8:0:0::/64'],
    ['2001:db8::1', undefined, '2001:db8:0:0::/64'],
    // A proxy that trustProxy does not name, or one that names a client of the same network.
    [proxy, proxy, undefined],
    ['::ffff:172.17.0.1', '::ffff:172.17.0.1', undefined],
    ['fd00::1', 'fd00::1', undefined],
    ['192.168.1.7', proxy, '192.168.1.7'],
    ['127.0.0.1', '127.0.0.1', undefined],
    ['::1', proxy, undefined],
    ['::ffff:127.0.0.1', '::ffff:127.0.0.1', undefined],
    [undefined, undefined, undefined],
    ['unknown', proxy, undefined],
  ];
  for (const [client, peer, expected] of cases) {
    it(`by ${expected ?? 'nothing'} where ${client} comes from ${peer}`, () => {
      assert.equal(clientNetwork(client, peer), expected);
    });
  }
});
