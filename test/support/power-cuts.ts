/*
 * What a disk with a volatile cache may hold after a power cut: all writes before its last flush, and any of those after it. So
 * these cuts are tried between two flushes: after each write, with all writes so far; before the next flush, with all but one,
 * with some by chance, and with none. A write is a block of 4 KiB at most, so long writes of the filesystem are torn, too.
 */
import type { DiskEvent } from './recorded-disk.js';

/** A power cut. Events are named by their index. */
export interface PowerCut {
  /** So many events had happened. */
  readonly position: number;
  /** All writes before this event are on the disk. */
  readonly flushed: number;
  /** These writes after it are on the disk, too. */
  readonly kept: readonly number[];
}

const chanceCuts = 4;

function cutsOfWrites(flushed: number, end: number, random: () => number): PowerCut[] {
  const writes = Array.from({ length: end - flushed }, (_, index) => flushed + index);
  const atEnd: (readonly number[])[] = [];
  if (writes.length > 1) atEnd.push(...writes.slice(0, -1).map((lost) => writes.filter((write) => write !== lost)));
  if (writes.length > 2) atEnd.push(...Array.from({ length: chanceCuts }, () => writes.filter(() => random() < 0.5)));
  return [
    ...writes.map((write) => ({ position: write + 1, flushed, kept: writes.slice(0, write - flushed + 1) })),
    ...[...atEnd, []].map((kept) => ({ position: end, flushed, kept })),
  ];
}

/** All power cuts from an event on, in their order. */
export function listPowerCuts(events: readonly DiskEvent[], first: number, random: () => number): PowerCut[] {
  const cuts: PowerCut[] = [];
  let flushed = 0;
  for (let end = 0; end <= events.length; end += 1) {
    if (end < events.length && events[end] !== 'flush') continue;
    cuts.push(...cutsOfWrites(flushed, end, random));
    flushed = end + 1;
  }
  return cuts.filter(({ position }) => position >= first);
}

/** So many of the cuts by chance, and the last one, in their order. */
export function chooseCuts(cuts: readonly PowerCut[], count: number, random: () => number): PowerCut[] {
  let left = count;
  return cuts.filter((_, index) => {
    if (index === cuts.length - 1) return true;
    const isChosen = random() * (cuts.length - index) < left;
    if (isChosen) left -= 1;
    return isChosen;
  });
}

function apply(image: Uint8Array, event: DiskEvent | undefined): void {
  if (event !== undefined && event !== 'flush') image.set(event.data, event.offset);
}

/** What the disk holds after each of the cuts, which are in their order. */
export function* imagesAfter(base: Uint8Array, events: readonly DiskEvent[], cuts: readonly PowerCut[]) {
  const stable = Uint8Array.from(base);
  let applied = 0;
  for (const cut of cuts) {
    for (; applied < cut.flushed; applied += 1) apply(stable, events[applied]);
    const image = Uint8Array.from(stable);
    for (const index of cut.kept) apply(image, events[index]);
    yield { cut, image };
  }
}
