import { readFileSync } from 'node:fs';
import path from 'node:path';
import { projectFolder } from './command.js';

/** The layouts of nginx.example.conf. */
export const nginxLayouts = ['a', 'b', 'c'] as const;
export type NginxLayout = (typeof nginxLayouts)[number];

/** The settings that prosody-filer has behind a layout. */
export const layoutSettings = { a: {}, b: { accelRedirect: '/internal-uploads/' }, c: {} } as const;

/** The values that replace the example's names. */
export interface NginxNames {
  /** The address that replaces port 443, such as `127.0.0.1:8443`. */
  readonly address: string;
  /** Where prosody-filer listens, such as `127.0.0.1:5050`. */
  readonly filer: string;
  readonly storeDir: string;
  /** Files of the certificate and its key; without them nginx speaks plain HTTP/1.1. */
  readonly certificate?: { readonly file: string; readonly keyFile: string };
}

function withLayout(example: string, layout: NginxLayout): string {
  const sections = /^ *### Layout \((.)\).*?^ *### End of layout [^\n]*\n/gms;
  return example.replace(sections, (section, name) => (name === layout ? section.replace(/^( *)# /gm, '$1') : ''));
}

/** The part of nginx.example.conf for nginx's `http` block, with only this layout. */
export function nginxExample(layout: NginxLayout, { address, filer, storeDir, certificate }: NginxNames): string {
  const example = readFileSync(path.join(projectFolder, 'nginx.example.conf'), 'utf8');
  const own = withLayout(example, layout)
    .replaceAll(/^ *listen \[::\].*\n/gm, '')
    .replace('127.0.0.1:5050', filer)
    .replace('/var/lib/prosody-filer/upload', storeDir);
  if (certificate === undefined) {
    return own.replace(/listen .*/, `listen ${address};`).replaceAll(/^ *ssl_.*\n/gm, '');
  }
  return own
    .replace('listen 443', `listen ${address}`)
    .replace(/(?<=ssl_certificate ).*(?=;)/, certificate.file)
    .replace(/(?<=ssl_certificate_key ).*(?=;)/, certificate.keyFile);
}
