/**
 * Every `sh` block of README.md and docs/ says how it is known to work: `sh run` runs here, in the order of the page, in
 * a cluster as `make demo HOSTS=simulated` leaves it; `sh by-test: FILE` is run by that test; `sh by-hand: REASON` is
 * run by nobody, for that reason.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fillSamples, readSamples } from '../../hack/demo/quickstart.ts';
import { setSimulatedStage } from '../../hack/demo/simulated-stage.ts';
import type { Stage } from '../../hack/demo/stage.ts';
import { repositoryRoot } from '../../hack/lab/operator.ts';
import { run } from '../../hack/lab/process.ts';
import { blocksOf, fileLinksOf } from './docs-blocks.ts';

const pages = [
  'README.md',
  ...readdirSync(join(repositoryRoot, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => join('docs', file))
    .toSorted(),
];
const read = (page: string): string => readFileSync(join(repositoryRoot, page), 'utf8');
const shellBlocks = (page: string) => blocksOf(read(page)).filter(({ language }) => language === 'sh');
const isObject = (text: string): boolean => /^apiVersion: ovcp\.dev\//m.test(text);

it.each(pages)('%s: links lead somewhere, and every command says how it is known to work', (page) => {
  for (const link of fileLinksOf(read(page))) {
    expect(existsSync(join(repositoryRoot, dirname(page), link)), `${page} links to ${link}`).toBe(true);
  }
  for (const { info, line } of shellBlocks(page)) {
    expect(info, `${page}:${line}`).toMatch(/^(run|by-test: \S+\.test\.ts|by-hand: .{8,})$/);
    const file = /^by-test: (.*)$/.exec(info)?.[1];
    if (file !== undefined) expect(existsSync(join(repositoryRoot, file)), `${page}:${line}`).toBe(true);
  }
});

describe('what the documentation shows', () => {
  let dir: string;
  let stage: Stage;
  let env: NodeJS.ProcessEnv;

  beforeAll(async () => {
    dir = await mkdtemp('/tmp/ovcp-docs-');
    stage = await setSimulatedStage({
      dir: join(dir, 'demo'),
      say: () => undefined,
      agrees: async () => true,
      env: {},
      signal: new AbortController().signal,
    });
    const quickstart = join(dir, 'quickstart');
    await mkdir(quickstart);
    for (const { file, text } of fillSamples(readSamples(), { hosts: stage.demoHosts, image: stage.image })) {
      await writeFile(join(quickstart, file), text);
    }
    await stage.mustKubectl(['apply', '--server-side', '-f', quickstart]);
    const machine = ['ovm', 'web-1', '-n', 'team-a'];
    await stage.mustKubectl([
      'wait',
      ...machine,
      '--for=jsonpath={.status.powerState}=PoweredOn',
      '--timeout=300s',
    ]);
    const [kubectl = '', , kubeconfig = ''] = stage.kubectl;
    await symlink(kubectl, join(dir, 'kubectl'));
    env = { ...stage.env, KUBECONFIG: kubeconfig, PATH: `${dir}:${process.env['PATH']}` };
  });

  afterAll(async () => {
    await stage.down();
    await rm(dir, { recursive: true, force: true });
  });

  it.each(pages.filter((page) => shellBlocks(page).some(({ info }) => info === 'run')))(
    '%s: the commands work as they stand',
    async (page) => {
      for (const { info, text, line } of shellBlocks(page)) {
        if (info !== 'run') continue;
        const shell = ['bash', '--norc', '-euo', 'pipefail', '-c', text];
        const { code, stderr } = await run(shell, { cwd: repositoryRoot, env, allowFailure: true });
        expect({ code, stderr }, `${page}:${line}`).toEqual({ code: 0, stderr: '' });
      }
    },
  );

  it.each(pages.filter((page) => blocksOf(read(page)).some(({ text }) => isObject(text))))(
    '%s: the API server takes every object',
    async (page) => {
      for (const { language, text, line } of blocksOf(read(page))) {
        if (language !== 'yaml' || !isObject(text)) continue;
        const args = ['apply', '--server-side', '--dry-run=server', '-f', '-'];
        await expect(stage.mustKubectl(args, text), `${page}:${line}`).resolves.toContain(
          'serverside-applied',
        );
      }
    },
  );
});
