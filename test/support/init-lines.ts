import { nginxLocations, nginxUpstream } from '../../src/config/nginx-locations.js';

/** What `init` prints for nginx's server block, and before it, with the origin of prosody-filer and its storeDir. */
export function nginxOfInit({
  origin,
  storeDir = '/nowhere',
}: {
  readonly origin: string;
  readonly storeDir?: string;
}): [inServer: string, beforeServer: string] {
  return [
    nginxLocations('https://uploads.example.org/upload/', '/internal-uploads/', storeDir),
    nginxUpstream.replace('127.0.0.1:5050', new URL(origin).host),
  ];
}
