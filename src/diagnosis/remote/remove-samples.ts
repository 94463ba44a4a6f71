import { FilerError } from '../../errors.js';
import { signDelete } from '../../token/delete-token.js';
import type { Verdict } from '../finding.js';
import { NoAnswerError } from './send-request.js';
import type { StoredSample, Visit } from './visit.js';

const goneStatuses: readonly number[] = [404, 410];

/** Sends DELETE as Metronome does; resolves to the status, `undefined` without a deleteSecret. */
async function sendDelete(visit: Visit, { target, key }: StoredSample): Promise<number | undefined> {
  const { secret, deleteSecret } = visit.settings;
  if (deleteSecret === undefined) return undefined;
  const query = signDelete(secret, key, deleteSecret);
  return (await visit.send('DELETE', { method: 'DELETE', target: `${target}?${query}` })).status;
}

/** Checks, before the first upload, how the doctor can remove its uploads, or what the operator must do instead. */
export async function checkRemoval(visit: Visit): Promise<Verdict> {
  const { removeFromStore, removeCommand, storage } = visit.settings;
  const key = visit.keyOf('missing.txt');
  const status = await sendDelete(visit, { target: visit.targetOf(key), key });
  if (status === 204) return `Test files go into ${visit.slot}. The doctor removes them by DELETE.`;
  if (typeof removeFromStore !== 'string')
    return `Test files go into ${visit.slot}. The doctor removes them from ${storage}`;
  const why = status === undefined ? 'deleteSecret is not set' : `DELETE got ${status}`;
  return {
    skipped: `The doctor cannot remove its test files: ${why}; ${removeFromStore}. 20 MB will remain. Run on the server: ${removeCommand(visit.slot)}`,
  };
}

async function isRemoved(visit: Visit, stored: StoredSample): Promise<boolean> {
  try {
    const { removeFromStore } = visit.settings;
    if (typeof removeFromStore !== 'string' && (await removeFromStore(stored.key))) return true;
    if ((await sendDelete(visit, stored)) === 204) return true;
    const { status } = await visit.send('GET', { method: 'GET', target: stored.target });
    return goneStatuses.includes(status);
  } catch (error) {
    if (error instanceof NoAnswerError || error instanceof FilerError) return false;
    throw error;
  }
}

/** Removes the files that this visit uploaded, and only those. */
export async function removeSamples(visit: Visit): Promise<Verdict> {
  const { deleteSecret, removeFromStore, removeCommand } = visit.settings;
  const remaining: StoredSample[] = [];
  for (const stored of visit.stored) if (!(await isRemoved(visit, stored))) remaining.push(stored);
  if (remaining.length === 0) return `The doctor removed all of its ${visit.stored.size} test files.`;
  const found = `${remaining.length} of ${visit.stored.size} test files remain.`;
  const change = `Run on the server: ${removeCommand(visit.slot)}`;
  if (deleteSecret === undefined && typeof removeFromStore === 'string') return { skipped: `${found} ${change}` };
  return {
    found,
    cause: 'The running server has another storeDir or bucket, or refuses the deleteSecret of this configuration.',
    change,
  };
}
