import { basename, dirname } from 'node:path';
import { bearer, v1Token } from '../support/tokens.js';
import type { Dice } from './dice.js';
import type { Scene } from './scene.js';
import { lifetimeOf, limits } from './settings.js';
import type { Slot, SlotFacts } from './slot.js';

/** What a PUT has to carry to be allowed. */
export interface Permit {
  readonly rawTarget: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Until when the token is valid for sure, ms since the epoch. */
  readonly validUntil: number;
}

const names = ['romeo', 'juliet', 'mercutio'] as const;
const extensions = { 'image/jpeg': 'jpg', 'image/webp': 'jpg', 'video/mp4': 'mp4', 'audio/ogg': 'bin' } as const;
type Type = keyof typeof extensions;
const types = Object.keys(extensions) as [Type, ...Type[]];
const sizes = [0, 1, 300, 4095, 4096, 4097, 20_000, 65_535, 65_536, 65_537, 150_000, 400_000] as const;

/** Gives slots to users: by tokens that Prosody would sign, and by the component. */
export class Permits {
  readonly #scene: Scene;
  readonly #dice: Dice;
  readonly #prefix: string;
  readonly #permits: Map<Slot, Permit>;
  /** How many JIDs of a name have used up their day. */
  readonly #generations: Map<string, number>;
  #count = 0;

  /** Permits and generations are those of all users. */
  constructor(
    scene: Scene,
    dice: Dice,
    prefix: string,
    shared: { readonly permits: Map<Slot, Permit>; readonly generations: Map<string, number> },
  ) {
    this.#scene = scene;
    this.#dice = dice;
    this.#prefix = prefix;
    this.#permits = shared.permits;
    this.#generations = shared.generations;
  }

  /** The permit of a slot, if it is still valid for sure. */
  of(slot: Slot): Permit | undefined {
    const permit = this.#permits.get(slot);
    return permit !== undefined && permit.validUntil > Date.now() + 60_000 ? permit : undefined;
  }

  /** A slot that nobody has used, of this size if one is given. */
  async give(size: number = this.#dice.pick(sizes)): Promise<Slot> {
    const type = this.#dice.pick(types);
    const count = this.#count++;
    const name = `${this.#dice.chance(0.3) ? 'short_' : ''}${count}.${extensions[type]}`;
    const expiresInMs = this.#dice.chance(0.2) ? 1000 * this.#dice.between(3, 12) : undefined;
    const way = this.#dice.pick(['v1', 'bearer', 'bearer', 'component']);
    const jid = this.#jid();
    // Tokens name whole seconds.
    const expiresAt = expiresInMs === undefined ? undefined : 1000 * Math.floor((Date.now() + expiresInMs) / 1000);
    if (way === 'component') {
      const url = await this.#scene.xmpp.ask({ jid, filename: name, size, type, expiresAt });
      if (url !== undefined) return this.#asComponent(url, { size, type, uploader: jid, expiresAt });
    }
    const key = `${this.#prefix}-${count}/${name}`;
    if (way === 'v1') return this.#asV1({ key, size, type });
    return this.#asBearer({ key, size, type, uploader: jid, expiresAt });
  }

  /** A slot that nobody has used, of this uploader, that stays as long as any. */
  giveTo(uploader: string | undefined, size: number): Slot {
    const key = `${this.#prefix}-${this.#count++}/probe.jpg`;
    const facts = { key, size, type: 'image/jpeg' };
    return uploader === undefined ? this.#asV1(facts) : this.#asBearer({ ...facts, uploader, expiresAt: undefined });
  }

  /** A JID whose day is not used up; at times one of which it nearly is: uploads that broke off count too. */
  #jid(): string {
    const name = this.#dice.pick(names);
    const generation = this.#generations.get(name) ?? 0;
    const jid = `${name}${generation}@example.org`;
    const isUsedUp = this.#scene.oracle.sentBy(jid) > 0.8 * limits.dailyQuota;
    if (isUsedUp && this.#dice.chance(0.3)) this.#generations.set(name, generation + 1);
    return jid;
  }

  #add(facts: Omit<SlotFacts, 'lifetimeMs'>, permit: Permit): Slot {
    const slot = this.#scene.oracle.add({ ...facts, lifetimeMs: lifetimeOf(facts) });
    this.#permits.set(slot, permit);
    return slot;
  }

  #asV1({ key, size, type }: Pick<SlotFacts, 'key' | 'size' | 'type'>): Slot {
    const rawTarget = `/upload/${key}?v=${v1Token(key, size)}`;
    const facts = { key, size, type, uploader: undefined, expiresAt: undefined };
    return this.#add(facts, { rawTarget, headers: { 'content-type': type }, validUntil: Number.POSITIVE_INFINITY });
  }

  #asBearer(facts: Omit<SlotFacts, 'lifetimeMs'>): Slot {
    const { key, size: filesize, type: filetype, uploader: sub, expiresAt } = facts;
    const exp = Math.floor(Date.now() / 1000) + 3600;
    const expiry = expiresAt === undefined ? {} : { expires: expiresAt / 1000 };
    const authorization = bearer({
      slot: dirname(key),
      filename: basename(key),
      filesize,
      filetype,
      sub,
      exp,
      ...expiry,
    });
    const headers = { authorization, 'content-type': filetype };
    const validUntil = Math.min(exp * 1000, expiresAt ?? Number.POSITIVE_INFINITY);
    return this.#add(facts, { rawTarget: `/upload/${key}`, headers, validUntil });
  }

  #asComponent(url: string, facts: Omit<SlotFacts, 'lifetimeMs' | 'key'>): Slot {
    const { pathname, search } = new URL(url);
    const key = pathname.slice('/upload/'.length);
    const validUntil = Math.min(Date.now() + 300_000, facts.expiresAt ?? Number.POSITIVE_INFINITY);
    const permit = { rawTarget: pathname + search, headers: { 'content-type': facts.type }, validUntil };
    return this.#add({ ...facts, key }, permit);
  }
}
