import assert from 'node:assert/strict';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { run } from './command.js';
import { eventually } from './eventually.js';
import { mountRecorded, type RecordedDisk } from './recorded-disk.js';
import { type Teardown, tempDir } from './temp-dir.js';

/** Makes small filesystems, and writes nothing later that no program asked for. */
const formatCommands = {
  ext4: ['mkfs.ext4', '-q', '-m', '0', '-b', '4096', '-E', 'nodiscard,lazy_itable_init=0,lazy_journal_init=0'],
  xfs: ['mkfs.xfs', '-q', '-K', '--unsupported'],
} as const;
const imageSize = '20M';
/**
 * XFS refuses a second image of one filesystem. The first may still be mounted: a mount namespace that another program has
 * made meanwhile, such as the one of the systemd tests, keeps what was mounted at that time.
 */
const mountOptions = { ext4: 'loop', xfs: 'loop,nouuid' } as const;

/** The filesystems that are tried. */
export type Filesystem = keyof typeof formatCommands;

async function runChecked(command: string, ...args: readonly string[]): Promise<void> {
  const { code, stderr } = await run(command, args);
  assert.equal(code, 0, `${command} ${args.join(' ')}: ${stderr}`);
}

/** Images of disks in memory, and a folder where one of them at a time is mounted. */
export class PowerCutDisk {
  /** The folder of the mounted disk. */
  readonly folder: string;
  readonly #filesystem: Filesystem;
  readonly #memory: string;
  #count = 0;

  private constructor(filesystem: Filesystem, memory: string) {
    this.#filesystem = filesystem;
    this.#memory = memory;
    this.folder = path.join(memory, 'mount');
  }

  /** Hooks of `t` from before run before its disks are unmounted. */
  static async open(t: Teardown, filesystem: Filesystem): Promise<PowerCutDisk> {
    let memory = '';
    t.after(async () => {
      const mounts = [path.join(memory, 'mount'), path.join(memory, 'recorded'), memory];
      // By force, since the process does not end before the recording thread does.
      for (const each of mounts) await run('umount', ['--lazy', '--force', each]);
    });
    memory = await tempDir(t);
    // Flushes of a mounted image cost nothing here.
    await runChecked('mount', '-t', 'tmpfs', 'tmpfs', memory);
    const disk = new PowerCutDisk(filesystem, memory);
    await mkdir(disk.folder);
    return disk;
  }

  /** The image of an empty filesystem. */
  async format(): Promise<Uint8Array> {
    const file = path.join(this.#memory, 'empty');
    await runChecked('truncate', `--size=${imageSize}`, file);
    const [command, ...args] = formatCommands[this.#filesystem];
    await runChecked(command, ...args, file);
    return readFile(file);
  }

  /** Mounts a disk with this content; what is written to it is recorded. */
  async mountRecorded(image: Uint8Array): Promise<RecordedDisk> {
    const file = path.join(this.#memory, 'recorded');
    const recorded = await mountRecorded(image, file);
    await this.#mount(file);
    // XFS clears its log when it is mounted, in hundreds of writes. A flush ends what is not of the program.
    const settled = path.join(this.folder, 'settled');
    await writeFile(settled, '');
    await runChecked('sync', settled);
    return recorded;
  }

  /** Mounts a disk with this content. */
  async mount(image: Uint8Array): Promise<void> {
    // A new name for each: mount(8) uses the device of a file that is still attached, whose cache holds the former image.
    const file = path.join(this.#memory, `image${this.#count++}`);
    await writeFile(file, image);
    await this.#mount(file);
    await rm(file);
  }

  /** Unmounts the disk, when nothing on it is open. */
  async unmount(): Promise<void> {
    await eventually(async () => (await run('umount', [this.folder])).code === 0);
  }

  /** Ends the recording and unmounts the recorded disk. */
  async unmountRecorded(): Promise<void> {
    await this.unmount();
    // By force, since the mount may go on in another namespace.
    await runChecked('umount', '--lazy', '--force', path.join(this.#memory, 'recorded'));
  }

  async #mount(file: string): Promise<void> {
    await runChecked('mount', '-o', mountOptions[this.#filesystem], file, this.folder);
  }
}
