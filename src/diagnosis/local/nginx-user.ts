import { findUser, type SystemUser } from '../../service/system-user.js';
import type { Ownership } from '../../storage/open-store.js';

/** The users that nginx runs as: on Debian and Alpine, on other distributions, on Arch. */
export const nginxUsers = ['www-data', 'nginx', 'http'];

/** The bits of a mode that let one read a file or enter a folder. */
export const permissions = { read: 4, enter: 1 } as const;

/** Finds the user that nginx runs as on this host; `undefined` if this host has no such user. */
export async function findNginxUser(): Promise<SystemUser | undefined> {
  return (await Promise.all(nginxUsers.map(findUser))).find((found) => found !== undefined);
}

/** Whether the mode gives that user a permission; access control lists are not looked at. */
export function may(permission: keyof typeof permissions, user: SystemUser, { mode, uid, gid }: Ownership): boolean {
  const shift = user.uid === uid ? 6 : user.gids.includes(gid) ? 3 : 0;
  return ((mode >> shift) & permissions[permission]) !== 0;
}

/** Whether the mode gives the permission to the group. */
export function isForGroup(permission: keyof typeof permissions, { mode }: Ownership): boolean {
  return ((mode >> 3) & permissions[permission]) !== 0;
}

/** Mode, user and group, as people write them. */
export function describeOwnership({ mode, uid, gid }: Ownership): string {
  return `mode ${(mode & 0o777).toString(8).padStart(4, '0')}, user ${uid}, group ${gid}`;
}

/** The commands by which that user joins a group, which must not be that of root: it would allow too much. */
export function joinGroup({ name }: SystemUser, gid: number): string {
  return `usermod --append --groups ${gid} ${name} && systemctl reload nginx`;
}
