/** The unit as the package installs it. Its first comment says what to do without a package. */
export function packagedUnit(text: string): string {
  return text.replace(/^#.*\n\n/, '').replace('/opt/prosody-filer/bin/', '/usr/bin/');
}

/** What the template has in place of the service's own names. */
const replacements: Readonly<Record<string, string>> = {
  '(XEP-0363)': '(XEP-0363) for %i',
  '/etc/prosody-filer/config.toml': '/etc/prosody-filer/%i.toml',
  'secret:/etc/prosody-filer/secret': 'secret:/etc/prosody-filer/%i.secret',
  '/run/credentials/prosody-filer.service/': '/run/credentials/prosody-filer@NAME.service/',
  '/var/lib/prosody-filer/upload': '/var/lib/prosody-filer/NAME/upload',
  'StateDirectory=prosody-filer': 'StateDirectory=prosody-filer/%i',
  // When a service stops, systemd removes its folder with all that is in it. So this one is not below the other service's.
  '/run/prosody-filer/filer.sock': '/run/prosody-filer@NAME/filer.sock',
  'RuntimeDirectory=prosody-filer': 'RuntimeDirectory=prosody-filer@%i',
};

/**
 * The unit prosody-filer@.service, made from prosody-filer.service: each prosody-filer@NAME has its own configuration, secret
 * and state. Throws if the service lacks a name that is to be replaced.
 */
export function templateUnit(service: string): string {
  return Object.entries(replacements).reduce((text, [from, to]) => {
    if (text.includes(from)) return text.replace(from, to);
    throw new Error(`prosody-filer.service: expected '${from}'`);
  }, packagedUnit(service));
}
