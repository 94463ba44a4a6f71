import { after } from 'node:test';
import type { Teardown } from './temp-dir.js';

/** What the tests of a suite share: started for the first that asks, ended after the last. */
export function shared<Peer>(start: (t: Teardown) => Promise<Peer>): () => Promise<Peer> {
  const hooks: (() => Promise<void> | void)[] = [];
  after(async () => {
    for (const hook of hooks) await hook();
  });
  let peer: Promise<Peer> | undefined;
  return () => {
    peer ??= start({ after: (hook) => hooks.push(hook) });
    return peer;
  };
}
