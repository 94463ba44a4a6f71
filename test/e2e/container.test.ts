/* No container engine is asked: the commands of the Dockerfile are run in a folder, and the image's entry in namespaces. */
import assert from 'node:assert/strict';
import { chmod, cp, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { projectFolder, run } from '../support/command.js';
import { send } from '../support/http-client.js';
import { freePort, missingPeer } from '../support/peers.js';
import { RunningProcess } from '../support/running-process.js';
import { tempDir } from '../support/temp-dir.js';
import { beginPut, put } from '../support/uploading.js';

const dockerfile = (await readFile(path.join(projectFolder, 'Dockerfile'), 'utf8')).replace(/\\\n\s*/g, '');
const composeFile = path.join(projectFolder, 'src/contrib/docker/compose.yaml');
/** The configuration that the comments of the compose file have. */
const configText = (await readFile(composeFile, 'utf8'))
  .split('\n')
  .filter((line) => /^# {5}\w+ = /.test(line))
  .map((line) => line.replace(/^# +/, ''))
  .join('\n');
const secret = 's3cret';

/** The arguments of an instruction, for each of its lines. */
function instructions(name: string): string[] {
  return [...dockerfile.matchAll(new RegExp(`^${name} (.*)$`, 'gm'))].map(([, text = '']) => text);
}

function execForm(text = ''): string[] {
  return JSON.parse(text.slice(text.indexOf('[')));
}

const needsNamespaces = {
  skip: missingPeer('unshare', 'setpriv', 'busybox') ?? (process.getuid?.() !== 0 && 'needs root'),
};

/** Starts the image's entry as PID 1 and its user; only the volume is writable. */
async function startContainer(t: TestContext) {
  let running: RunningProcess | undefined;
  t.after(() => running?.stop('SIGKILL'));
  const folder = await tempDir(t);
  const port = await freePort();
  const config = configText
    .replace(':5050', `127.0.0.1:${port}`)
    .replaceAll('"/run/secrets', `"${folder}`)
    .replaceAll('"/var/lib', `"${folder}`);
  await writeFile(path.join(folder, 'config.toml'), config);
  await writeFile(path.join(folder, 'upload'), `${secret}\n`);
  assert.equal((await run('chown', ['-R', '1000:1000', folder])).code, 0);
  const volume = instructions('RUN').find((line) => line.endsWith(' /var/lib/prosody-filer')) ?? '';
  assert.equal((await run('sh', ['-c', volume.replace('/var/lib', folder).replaceAll('node', '1000')])).code, 0);
  await chmod(folder, 0o711);
  const [command = '', ...args] = execForm(instructions('ENTRYPOINT')[0]);
  const entry = [command.replace('node', process.execPath), ...args, ...execForm(instructions('CMD')[0])].map((part) =>
    part.replace('/opt/prosody-filer', projectFolder).replace('/etc/prosody-filer', folder),
  );
  const setUp = 'mount -o remount,bind,ro / && mount --bind "$0" "$0" && mount -o remount,bind,rw "$0" && exec "$@"';
  const [uid = '', gid = ''] = (instructions('USER')[0] ?? '').split(':');
  const user = [
    'setpriv',
    `--reuid=${uid}`,
    `--regid=${gid}`,
    '--clear-groups',
    '--no-new-privs',
    '--bounding-set=-all',
  ];
  const namespaces = ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const program = new RunningProcess('unshare', [
    ...namespaces,
    ...['sh', '-c', setUp, path.join(folder, 'prosody-filer'), ...user, ...entry],
  ]);
  running = program;
  await program.waitForLine((line) => line.includes('"msg":"listening"'));
  return { program, origin: `http://127.0.0.1:${port}`, secret, volume: path.join(folder, 'prosody-filer') };
}

describe('the image', () => {
  it('is built without ignored files, and without packages that only the build needs', async (t) => {
    const folder = await tempDir(t);
    const ignored = (await readFile(path.join(projectFolder, '.dockerignore'), 'utf8')).trim().split('\n');
    const [, stage = ''] = dockerfile.split(/^FROM .*$/m);
    for (const [, instruction, text = ''] of stage.matchAll(/^(COPY|RUN) (.*)$/gm)) {
      if (instruction === 'COPY') {
        for (const name of text.split(' ').slice(0, -1)) {
          assert.ok(ignored.includes(`!${name}`), `${name} is ignored`);
          await cp(path.join(projectFolder, name), path.join(folder, name), { recursive: true });
        }
        continue;
      }
      const { code, stderr } = await run('env', ['npm_config_prefer_offline=true', 'sh', '-c', text], folder);
      assert.equal(code, 0, stderr);
    }
    const copied = instructions('COPY --from=build').map((text) => path.basename(text.split(' ')[0] ?? ''));
    assert.deepEqual(copied, ['package.json', 'dist']);
    const image = await tempDir(t);
    for (const name of copied) await symlink(path.join(folder, name), path.join(image, name));
    const version = await run(process.execPath, [path.join(image, 'dist/main.js'), '--version']);
    const manifest = JSON.parse(await readFile(path.join(projectFolder, 'package.json'), 'utf8')) as {
      version: string;
    };
    assert.equal(version.stdout, `prosody-filer ${manifest.version}\n`);
    const { stdout } = await run('du', ['-sm', path.join(folder, 'dist')]);
    t.diagnostic(`dist: ${Number.parseInt(stdout, 10)} MB`);
  });

  it('serves as PID 1, as an unprivileged user, on a read-only root', needsNamespaces, async (t) => {
    const container = await startContainer(t);
    assert.equal((await put(container, 's/f', Buffer.from('hello'))).status, 201);
    const { headers } = await send(`${container.origin}/upload/s/f`);
    assert.equal(headers['x-accel-redirect'], '/internal-uploads/s/f');
  });

  it('lets the nginx of another container read uploads, and nothing else', needsNamespaces, async (t) => {
    const container = await startContainer(t);
    assert.equal((await put(container, 's/f', Buffer.from('hello'))).status, 201);
    // The user of the image nginx.
    const asNginx = ['--reuid=101', '--regid=101', '--clear-groups'];
    const upload = path.join(container.volume, 'upload');
    assert.equal((await run('setpriv', [...asNginx, 'cat', path.join(upload, 's/f')])).stdout, 'hello');
    assert.match((await run('setpriv', [...asNginx, 'ls', path.join(upload, '.prosody-filer')])).stderr, /denied/);
    assert.match((await run('setpriv', [...asNginx, 'touch', path.join(upload, 's/g')])).stderr, /denied/);
  });

  it('finishes a running upload at SIGTERM as PID 1, and exits with 0', needsNamespaces, async (t) => {
    const { program, ...container } = await startContainer(t);
    const upload = await beginPut(t, container, 's/f', 10, '01234');
    const stopped = program.stop('SIGTERM');
    await program.waitForLine((line) => line.includes('SIGTERM: finishing the running transfers'));
    upload.socket.write('56789');
    await upload.waitFor(/^HTTP\/1\.1 201 Created/);
    assert.deepEqual(await stopped, { code: 0, signal: null });
  });

  it('is healthy while it answers', needsNamespaces, async (t) => {
    const { program, origin } = await startContainer(t);
    const [, command = ''] = /CMD (.*)/.exec(instructions('HEALTHCHECK')[0] ?? '') ?? [];
    // Alpine's nc is that of BusyBox.
    const check = command.replace(' nc ', ' busybox nc ').replace('5050', new URL(origin).port);
    assert.equal((await run('sh', ['-c', check])).code, 0);
    await program.stop();
    assert.equal((await run('sh', ['-c', check])).code, 1);
  });
});

it('the compose file declares all that it uses, and its configuration reads the secret', async (t) => {
  const missing = missingPeer('python3');
  if (missing !== undefined) return t.skip(missing);
  const toJson = 'import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))';
  const { stdout, stderr } = await run('python3', ['-c', toJson, composeFile]);
  assert.equal(stderr, '');
  const { services, volumes, secrets } = JSON.parse(stdout);
  const filer = services['prosody-filer'];
  const all: string[] = [filer, services.prosody, services.nginx].flatMap((service) => service.volumes);
  const named = [...new Set(all.map((volume) => volume.split(':')[0] ?? ''))];
  const shared = filer.volumes.find((volume: string) => volume.startsWith('uploads:'));
  assert.ok(services.nginx.volumes.includes(`${shared}:ro`), 'nginx has storeDir at the same path');
  assert.deepEqual(named.filter((name) => !name.startsWith('./')).sort(), Object.keys(volumes).sort());
  assert.deepEqual(filer.secrets, Object.keys(secrets));
  assert.ok(configText.includes(`"/run/secrets/${filer.secrets[0]}"`));
});
