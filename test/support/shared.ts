import { after } from 'node:test';
import type { Teardown } from './temp-dir.js';

/** Shares a peer between the tests of a suite: started for the first test that asks, ended after the last. */
export function shared<Peer>(start: (t: Teardown) => Promise<Peer>): () => Promise<Peer> {
  const hooks: Parameters<Teardown['after']>[0][] = [];
  after(async () => {
    for (const hook of hooks) await hook();
  });
  let peer: Promise<Peer> | undefined;
  return () => {
    peer ??= start({ after: (hook) => hooks.push(hook) });
    return peer;
  };
}
