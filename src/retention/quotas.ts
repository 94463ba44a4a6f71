/*
 * The tables [[quota]]. A PUT names its uploader by a JID or, with paths of ejabberd and with slots of our own, by an id, which
 * does not tell the domain. So the token of our own slots also names the table, by the id of its `match`.
 */
import { bareJid, domainOf, type UploaderIds } from '../upload/uploader.js';
import type { LimitSettings } from './limits.js';

/** Other figures for some uploaders; `undefined`: those at the top and in [component]. */
export interface QuotaTable {
  /** A bare JID or a domain, in lower case. */
  readonly match: string;
  /** Bytes stored for each uploader. */
  readonly userQuota: number | undefined;
  /** Bytes that each uploader may send, and get slots for, in 24 hours. */
  readonly dailyQuota: number | undefined;
  /** Bytes. */
  readonly maxFileSize: number | undefined;
  /** Slot requests of each uploader. */
  readonly requestsPerMinute: number | undefined;
}

/** What may tell an uploader's table. */
export interface QuotaHolder {
  /** A JID or an id. */
  readonly uploader?: string | undefined;
  /** The table that the token names. */
  readonly quota?: string | undefined;
}

type Figure = Exclude<keyof QuotaTable, 'match'>;

/** How messages name a figure: the key, and the table if that sets it. */
export function nameFigure(figure: Figure, table: QuotaTable | undefined): string {
  return table?.[figure] === undefined ? figure : `${figure} of [[quota]] ${table.match}`;
}

/** Bytes that an uploader may store and send; `undefined`: any number. */
export type ByteQuotas = Pick<LimitSettings, 'userQuota' | 'dailyQuota'>;

/** The quotas of an uploader: those of the table, and those at the top for what it does not set. */
export function quotasOf(atTop: ByteQuotas, table: QuotaTable | undefined): ByteQuotas {
  const { userQuota = atTop.userQuota, dailyQuota = atTop.dailyQuota } = table ?? {};
  return { userQuota, dailyQuota };
}

/** Finds the table of an uploader. */
export class Quotas {
  readonly #uploaderIds: UploaderIds;
  /** By JID or domain, and by all ids of that. */
  readonly #tables: ReadonlyMap<string, QuotaTable>;

  constructor(tables: readonly QuotaTable[], uploaderIds: UploaderIds) {
    this.#uploaderIds = uploaderIds;
    this.#tables = new Map(
      tables.flatMap((table) => [table.match, ...uploaderIds.idsOf(table.match)].map((name) => [name, table] as const)),
    );
  }

  /** The table of the uploader's JID, or else the one of its domain. */
  find({ uploader, quota = '' }: QuotaHolder): QuotaTable | undefined {
    if (uploader === undefined) return undefined;
    const jid = bareJid(uploader);
    return this.#tables.get(jid) ?? this.#tables.get(domainOf(jid)) ?? this.#tables.get(quota);
  }

  /** How the token of a slot names the table of a JID. */
  nameFor(jid: string): string | undefined {
    const table = this.find({ uploader: jid });
    return table === undefined ? undefined : this.#uploaderIds.idOf(table.match);
  }
}
