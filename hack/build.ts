/** Bundles the operator for its image: dist/ovcp.mjs and the parts that are loaded when first needed. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** Optional natives of ssh2: it works without them, and a bundle cannot hold them. */
const natives = ['cpu-features', './crypto/build/Release/sshcrypto.node'];

const { outputs } = (
  await build({
    absWorkingDir: root,
    entryPoints: { ovcp: 'src/main.ts' },
    outdir: 'dist',
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    chunkNames: 'ovcp-[hash]',
    platform: 'node',
    format: 'esm',
    target: 'node22',
    minify: false,
    sourcemap: 'linked',
    metafile: true,
    legalComments: 'linked',
    external: natives,
    // CommonJS packages in an ES module still ask for these.
    banner: {
      js: [
        "import { createRequire as ovcpRequire } from 'node:module';",
        'const require = ovcpRequire(import.meta.url);',
        'const __dirname = import.meta.dirname;',
      ].join(' '),
    },
  })
).metafile;

for (const [name, { bytes }] of Object.entries(outputs)) {
  if (name.endsWith('.mjs')) process.stdout.write(`${name} ${Math.ceil(bytes / 1024)} KiB\n`);
}
