/*
 * Slots whose uploads this program does not see, because clients send them to a bucket. Each counts like a stored upload until a
 * sweep finds the upload, or until a sweep begins so late that none will come. So nobody can pass a quota with slots that a sweep
 * forgets before their uploads arrive.
 */
import type { UploadKey } from '../upload/upload-key.js';
import { type KeyedUpload, Usage } from './usage.js';

/** How long an upload may take to appear: its URL is valid for 5 minutes, and then the bytes have to arrive. */
const openMs = 15 * 60 * 1000;

/** Counts the slots. Their uploaders are named by ids. */
export class GivenSlots {
  readonly #now: () => number;
  #usage: Usage;
  /** The count for the time after the running sweep. */
  #next: Usage | undefined;
  /** Slots whose uploads may still come, the oldest first. */
  readonly #open = new Map<UploadKey, KeyedUpload>();

  constructor(now: () => number) {
    this.#now = now;
    this.#usage = new Usage(now);
  }

  /** Begins a new count, with the slots whose uploads may still come. */
  begin(): void {
    this.#dropOld();
    this.#next = new Usage(this.#now);
    for (const slot of this.#open.values()) this.#next.add(slot);
  }

  /** Leaves the slot of an upload that the sweep has found to the count of the store. */
  found(key: UploadKey): void {
    const slot = this.#open.get(key);
    if (slot === undefined) return;
    this.#open.delete(key);
    this.#next?.removeStored(slot);
    this.#next?.removeSent(slot);
  }

  /** Ends the new count: it replaces the one before. */
  end(): void {
    this.#usage = this.#next ?? this.#usage;
    this.#next = undefined;
  }

  /** Counts a slot; the result takes it back. */
  give(slot: KeyedUpload): () => void {
    this.#dropOld();
    this.#open.set(slot.key, slot);
    for (const usage of this.#usages()) usage.add(slot);
    return () => {
      if (this.forget(slot.key)) for (const usage of this.#usages()) usage.removeSent(slot);
    };
  }

  /** Stops counting the slot of a deleted upload as stored; false if it is not counted here. */
  forget(key: UploadKey): boolean {
    const slot = this.#open.get(key);
    if (slot === undefined) return false;
    this.#open.delete(key);
    for (const usage of this.#usages()) usage.removeStored(slot);
    return true;
  }

  /** Bytes of all slots. */
  get stored(): number {
    return this.#usage.stored;
  }

  /** Bytes of an uploader's slots. */
  storedBy(ids: readonly string[]): number {
    return this.#usage.storedBy(ids);
  }

  /** Bytes of an uploader's slots of the last 24 hours, and when they become fewer (ms since the epoch). */
  sentBy(ids: readonly string[]): { readonly bytes: number; readonly lessAt: number } {
    return this.#usage.sentBy(ids);
  }

  #usages(): readonly Usage[] {
    return this.#next === undefined ? [this.#usage] : [this.#usage, this.#next];
  }

  #dropOld(): void {
    for (const [key, { modifiedAt }] of this.#open) {
      if (this.#now() - modifiedAt <= openMs) return;
      this.#open.delete(key);
    }
  }
}
