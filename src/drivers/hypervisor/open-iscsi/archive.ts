/** Files for `tar -x` on the far side: it makes folders and modes as they shall be, in one call (POSIX.1-2017 ustar). */

const BLOCK = 512;

/** `path` is relative and fits the 100 bytes of a name with the 155 of a prefix, split at a slash. */
const split = (path: string): readonly [prefix: string, name: string] => {
  if (Buffer.byteLength(path) <= 100) return ['', path];
  const cut = path.indexOf('/', path.length - 101);
  return [path.slice(0, cut), path.slice(cut + 1)];
};

const octal = (value: number, width: number): string => `${value.toString(8).padStart(width - 1, '0')}\0`;

const header = (path: string, size: number): Buffer => {
  const [prefix, name] = split(path);
  const block = Buffer.alloc(BLOCK);
  const put = (text: string, at: number): void => void block.write(text, at, 'latin1');
  put(name, 0);
  put(octal(0o600, 8), 100);
  put(octal(0, 8), 108);
  put(octal(0, 8), 116);
  put(octal(size, 12), 124);
  put(octal(0, 12), 136);
  put('        ', 148);
  put('0', 156);
  put('ustar\x0000', 257);
  put(prefix, 345);
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
};

/** Files that root alone may read. */
export const archiveOf = (files: readonly { readonly path: string; readonly text: string }[]): Buffer =>
  Buffer.concat([
    ...files.flatMap(({ path, text }) => {
      const bytes = Buffer.from(text);
      const filled = Buffer.alloc(Math.ceil(bytes.length / BLOCK) * BLOCK);
      bytes.copy(filled);
      return [header(path, bytes.length), filled];
    }),
    Buffer.alloc(2 * BLOCK),
  ]);
