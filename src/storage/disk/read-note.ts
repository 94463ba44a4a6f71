/*
 * Sidecars and tombstones are notes: small JSON objects in files of the reserved folder. Other programs that may write to
 * storeDir may have put anything there. So reading a note follows no link, waits for no pipe's writer, reads 64 KiB at most,
 * and checks each field. Our own notes are smaller: a key and a JID have a few KiB at most, and a type 16 KiB, the limit of a
 * header.
 */
import { constants, fstatSync } from 'node:fs';
import { systemErrorCode } from '../../errors.js';
import { keyOfPath, type UploadKey } from '../../upload/upload-key.js';
import { closeRead, disk } from './disk-calls.js';
import { isGone } from './pass-over.js';

const version = 1;
const maxBytes = 64 * 1024;
const readFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** The latest time of a `Date`, ms since the epoch (ECMA-262 §21.4.1.1). */
const maxTime = 8.64e15;

/** A file that should be a note is not one. */
export class NoteError extends Error {
  /** Whether it may be the beginning of a note whose writer was stopped. */
  readonly isCutOff: boolean;

  constructor(message: string, isCutOff = false) {
    super(message);
    this.name = 'NoteError';
    this.isCutOff = isCutOff;
  }
}

/** The fields of both kinds of notes. */
interface NoteFields {
  readonly key: UploadKey;
  readonly uploader?: string | undefined;
}

/** A note whose other fields are still to be checked. */
type Note = NoteFields & {
  readonly [field in 'size' | 'modifiedAt' | 'contentType' | 'expiresAt' | 'purpose']?: unknown;
};

/** Whether a value is a time, ms since the epoch. */
export function isTime(value: unknown): value is number {
  return typeof value === 'number' && Math.abs(value) <= maxTime;
}

/** Whether a value is a number of bytes. */
export function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

/** The text of a note. */
export function formatNote(fields: NoteFields): string {
  return JSON.stringify({ version, ...fields });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new NoteError('it is not JSON', true);
  }
}

function parseNote(text: string): Note {
  const value = parseJson(text);
  if (typeof value !== 'object' || value === null) throw new NoteError('it is not a JSON object');
  const fields = value as Record<string, unknown>;
  const key = typeof fields['key'] === 'string' ? keyOfPath(fields['key']) : undefined;
  const { uploader } = fields;
  if (fields['version'] !== version) throw new NoteError(`its version is not ${version}`);
  if (key === undefined) throw new NoteError('its key is not the path of an upload');
  if (uploader !== undefined && typeof uploader !== 'string') throw new NoteError('its uploader is not a string');
  return { ...fields, key, uploader };
}

async function openNote(file: string): Promise<number | undefined> {
  try {
    return await disk.open(file, readFlags);
  } catch (error) {
    if (isGone(error)) return undefined;
    const code = systemErrorCode(error);
    // ENXIO: a socket.
    if (code === 'ELOOP' || code === 'ENXIO') throw new NoteError('it is not a plain file');
    throw error;
  }
}

/**
 * The note in a file; `undefined` if the file is missing or empty. Throws a `NoteError` if it holds something else, and the
 * system's errors.
 */
export async function readNote(file: string): Promise<Note | undefined> {
  const fd = await openNote(file);
  if (fd === undefined) return undefined;
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile()) throw new NoteError('it is not a plain file');
    if (stats.size > maxBytes) throw new NoteError(`it is larger than ${maxBytes} bytes`);
    const { bytesRead, buffer } = await disk.read(fd, Buffer.allocUnsafe(stats.size), 0, stats.size, 0);
    return bytesRead === 0 ? undefined : parseNote(buffer.toString('utf8', 0, bytesRead));
  } finally {
    closeRead(fd);
  }
}
