import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { it, type TestContext } from 'node:test';
import { projectFolder } from '../support/command.js';
import { eventually } from '../support/eventually.js';
import { send } from '../support/http-client.js';
import { freePort, missingPeer } from '../support/peers.js';
import { readmeBlock } from '../support/readme.js';
import { tempDir } from '../support/temp-dir.js';
import { beginPut, get, put } from '../support/uploading.js';
import { makePackage } from './debian-package.js';
import { startProsody } from './prosody.js';
import { bootSystemd, systemdSkipReason } from './systemd.js';
import { connectXmppClient } from './xmpp-client.js';

/** Lets dpkg write, in memory. The packages are in /mnt/packages. A container's policy-rc.d would forbid all starts. */
const setUp = `set -e
mv /etc/prosody-filer /mnt/packages
umount /var/lib /usr/lib/systemd/system
for folder in /usr /var/lib; do
  mkdir -p /mnt/above$folder /mnt/beside$folder
  mount -t overlay overlay -o lowerdir=$folder,upperdir=/mnt/above$folder,workdir=/mnt/beside$folder $folder
done
mount -t tmpfs tmpfs /usr/lib/systemd/system
rm -f /usr/sbin/policy-rc.d
for unit in prosody-filer prosody-filer@; do
  mkdir /etc/systemd/system/$unit.service.d
  printf '[Service]\\nStandardOutput=append:/run/output\\nStandardError=append:/run/output\\n' \\
    >/etc/systemd/system/$unit.service.d/output.conf
done`;

const etc = '/etc/prosody-filer';
const state = '/var/lib/prosody-filer';
const versions = ['0.0.1', '0.0.2'] as const;
const [older, newer] = versions;
const missing = missingPeer('dpkg', 'dpkg-deb', 'deb-systemd-invoke', 'systemd-sysusers', 'prosody', 'openssl');

async function bootWithPackages(t: TestContext) {
  const folder = await tempDir(t);
  const [port, otherPort] = [await freePort(), await freePort()];
  const own = await readFile(path.join(projectFolder, '.ci/debian/root/etc/prosody-filer/config.toml'), 'utf8');
  // As the README says.
  const other = own
    .replace('prosody-filer.service', 'prosody-filer@example.net.service')
    .replace('/var/lib/prosody-filer/upload', '/var/lib/prosody-filer/example.net/upload')
    .replace('5050', String(otherPort));
  const packages = versions.map(
    async (version) => [`${version}.deb`, await makePackage(folder, version, port)] as const,
  );
  const files = (await Promise.all(packages)).map(async ([name, file]) => [name, await readFile(file)] as const);
  const systemd = await bootSystemd(
    t,
    {},
    { 'example.net.toml': other, ...Object.fromEntries(await Promise.all(files)) },
    setUp,
  );
  /** Runs a command to its end. It cannot ask anything: there is nobody to answer. */
  const shell = async (command: string): Promise<string> => {
    const { code, stdout, stderr } = await systemd.run('sh', '-ec', command);
    assert.equal(code, 0, `${command}\n${stdout}${stderr}${await systemd.output()}`);
    return stdout.trim();
  };
  return {
    shell,
    output: systemd.output,
    /** The words that systemctl has for the service, the socket and the other service: `active`, `enabled`… */
    say: async (question: string) =>
      (
        await systemd.run(
          'systemctl',
          question,
          'prosody-filer.service',
          'prosody-filer.socket',
          'prosody-filer@example.net',
        )
      ).stdout
        .trim()
        .split('\n'),
    dpkg: (...args: string[]) => shell(`dpkg --no-triggers --log=/dev/null ${args.join(' ')}`),
    server: async () => ({ origin: `http://127.0.0.1:${port}`, secret: await shell(`cat ${etc}/secret`) }),
    otherServer: async () => ({
      origin: `http://127.0.0.1:${otherPort}`,
      secret: await shell(`cat ${etc}/example.net.secret`),
    }),
  };
}

const hello = Buffer.from('hello');

it('the Debian package', { skip: missing ?? (await systemdSkipReason()) ?? false }, async (t) => {
  const { shell, say, dpkg, output, server, otherServer } = await bootWithPackages(t);
  const install = (version: string) => dpkg('--install', `/mnt/packages/${version}.deb`);
  const version = async () => (await shell('prosody-filer --version')).split(' ')[1];

  await t.test("is installed and runs at once, and stores what Prosody's slots are for", async (t) => {
    await install(older);
    assert.deepEqual(await say('is-active'), ['active', 'inactive', 'inactive']);
    assert.deepEqual((await say('is-enabled')).slice(0, 2), ['enabled', 'disabled']);
    assert.equal(await version(), older);
    assert.equal(await shell(`stat --format '%a %U' ${etc}/secret`), '600 root');
    const { origin, secret } = await server();
    assert.match(secret, /^[0-9a-f]{64}$/);
    assert.match(await shell('id --name --groups www-data'), /\bprosody-filer\b/);

    const prosody = await startProsody(t, { issuer: 'file_share', baseUrl: `${origin}/upload/`, secret });
    const client = await connectXmppClient(t, prosody);
    const slot = await client.requestSlot({ filename: 'f.txt', size: 5, contentType: 'text/plain' });
    const headers = { ...slot.put.headers, 'content-type': 'text/plain' };
    assert.equal((await send(slot.put.url, { method: 'PUT', headers, body: hello })).status, 201);
    assert.equal((await send(slot.get)).body.toString(), 'hello');
  });

  await t.test("has a template for other services, by the README's commands", async () => {
    await shell(`mv /mnt/packages/example.net.toml ${etc} && ${readmeBlock('sh', 'prosody-filer@example.net')}`);
    assert.equal((await put(await otherServer(), 's/other', hello)).status, 201);
    assert.equal(await shell(`cat ${state}/example.net/upload/s/other`), 'hello');
  });

  await t.test('is upgraded in the middle of an upload without losing it, and downgraded', async (t) => {
    await shell(`echo '# changed' >>${etc}/config.toml`);
    const before = await server();
    const invocation = () => shell('systemctl show --value --property InvocationID prosody-filer@example.net');
    const earlier = await invocation();
    const upload = await beginPut(t, before, 's/across', 10, '01234');
    await eventually(async () => (await shell(`find ${state}/upload/.prosody-filer/temporary -type f`)) !== '');
    const upgrade = install(newer);
    await eventually(async () => (await output()).includes('finishing the running transfers'));
    upload.socket.write('56789');
    await upload.waitFor(/^HTTP\/1\.1 201 /);
    await upgrade;
    assert.equal(await version(), newer);
    assert.deepEqual(await say('is-active'), ['active', 'inactive', 'active']);
    assert.notEqual(await invocation(), earlier);
    assert.deepEqual(await server(), before);
    assert.match(await shell(`cat ${etc}/config.toml`), /# changed$/);

    await install(older);
    assert.equal(await version(), older);
    assert.equal((await get(before, 's/across')).body.toString(), '0123456789');
  });

  await t.test('stays disabled at an upgrade if root has disabled it', async () => {
    await shell('systemctl disable --now prosody-filer');
    await install(newer);
    assert.deepEqual(await say('is-active'), ['inactive', 'inactive', 'active']);
    assert.equal((await say('is-enabled'))[0], 'disabled');
    await shell('systemctl enable --now prosody-filer');
  });

  await t.test('starts what is enabled when it is installed again, the socket first', async () => {
    await shell('systemctl stop prosody-filer');
    await shell('systemctl enable --now prosody-filer.socket && systemctl start prosody-filer');
    await dpkg('--remove', 'prosody-filer');
    assert.deepEqual(await say('is-active'), ['inactive', 'inactive', 'inactive']);
    await install(newer);
    assert.deepEqual(await say('is-active'), ['active', 'active', 'active']);
    assert.equal((await get(await server(), 's/across')).body.toString(), '0123456789');
    await shell('systemctl disable --now prosody-filer.socket && systemctl restart prosody-filer');
  });

  await t.test('listens on sockets that nginx can open, each service on its own', async () => {
    const [one, other] = ['prosody-filer', 'prosody-filer@example.net'];
    const edit = (socket: string) =>
      `s#^listenPort.*#listenPort = "/run/${socket}/filer.sock"\\nunixSocket = true#; s#^trustProxy.*#trustProxy = ["unix"]#`;
    const ask = (socket: string) =>
      shell(`runuser -u www-data -- curl --silent --unix-socket /run/${socket}/filer.sock http://x/upload/s/none`);
    for (const [service, file] of [
      [one, 'config.toml'],
      [other, 'example.net.toml'],
    ] as const) {
      await shell(`sed --in-place=.tcp '${edit(service)}' ${etc}/${file} && systemctl restart ${service}`);
      assert.match(await ask(service), /^There is no file at this URL/);
    }
    await shell(`systemctl stop ${one}`);
    assert.match(await ask(other), /^There is no file at this URL/);
    await shell(`for file in ${etc}/*.tcp; do mv $file \${file%.tcp}; done; systemctl restart ${one} ${other}`);
  });

  await t.test('is removed without its configuration and the uploads, and purged without the uploads', async () => {
    const before = await shell(`find ${state} -type f | sort`);
    await dpkg('--remove', 'prosody-filer');
    assert.deepEqual(await say('is-active'), ['inactive', 'inactive', 'inactive']);
    assert.match(await shell(`ls ${etc}`), /^config\.toml\nexample\.net\.secret\nexample\.net\.toml\nsecret$/);
    assert.match(await dpkg('--purge', 'prosody-filer'), /\/var\/lib\/prosody-filer is not empty, so it stays/);
    assert.equal(await shell(`ls ${etc}`), 'example.net.secret\nexample.net.toml');
    assert.equal(await shell(`find ${state} -type f | sort`), before);
    assert.match(before, /upload\/s\/across/);
  });

  await t.test(
    'serves the uploads when it is installed again; a purge leaves a secret that is not its own',
    async () => {
      await install(newer);
      assert.equal((await get(await server(), 's/across')).body.toString(), '0123456789');
      assert.deepEqual(await say('is-active'), ['active', 'inactive', 'active']);
      await shell(`echo mine >${etc}/secret && find ${state} -type f -delete`);
      await dpkg('--purge', 'prosody-filer');
      assert.equal(await shell(`cat ${etc}/secret`), 'mine');
      assert.equal(
        await shell(`find ${state} /var/lib/misc/prosody* /usr/lib/prosody-filer 2>&1 | grep -v 'No such' || true`),
        '',
      );
    },
  );

  await t.test('can be completed if its installation failed half-way, and then be purged', async () => {
    const files = () => shell(`ls ${etc} /var/lib/misc`);
    await shell(`rm ${etc}/secret`);
    const before = await files();
    await shell('mv /var/lib/misc /var/lib/elsewhere');
    await assert.rejects(install(newer), /post-installation script subprocess returned error/);
    await shell('mv /var/lib/elsewhere /var/lib/misc');
    await dpkg('--configure', 'prosody-filer');
    assert.equal((await put(await server(), 's/late', hello)).status, 201);
    await dpkg('--purge', 'prosody-filer');
    assert.equal(await files(), before);
  });

  await t.test('is installed and removed although systemd cannot load the units again', async () => {
    const fake = `case "$*" in *daemon-reload*) exit 1 ;; esac\nexec /run/systemctl "$@"`;
    await shell(
      `cp /usr/bin/systemctl /run/systemctl && printf '#!/bin/sh\n%s\n' '${fake}' >/run/fake && chmod +x /run/fake`,
    );
    await shell('mount --bind /run/fake /usr/bin/systemctl');
    await install(newer);
    await dpkg('--remove', 'prosody-filer');
    await shell('umount /usr/bin/systemctl');
    await dpkg('--purge', 'prosody-filer');
  });

  await t.test('lets nginx read uploads although there was a user of that name in another group', async () => {
    await shell('userdel prosody-filer; groupdel prosody-filer; useradd --system --gid nogroup prosody-filer');
    await install(newer);
    assert.equal((await put(await server(), 's/read', hello)).status, 201);
    assert.equal(await shell(`runuser -u www-data -- cat ${state}/upload/s/read`), 'hello');
  });
});
