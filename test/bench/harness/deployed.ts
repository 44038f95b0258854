/** How the operator is started where it is deployed. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { repositoryRoot } from '../../../hack/lab/operator.ts';

/** What the image's container starts Node with. */
export const deployedFlags = async (): Promise<readonly string[]> => {
  const text = await readFile(join(repositoryRoot, 'deploy/base/deployment.yaml'), 'utf8');
  const [, words = ''] = /^\s*command: \[node, (.*), \/app\/ovcp\.mjs\]$/m.exec(text) ?? [];
  const flags = words.split(', ').filter((word) => word.startsWith('--'));
  if (flags.length === 0)
    throw new Error('the deployment starts Node without flags, or otherwise than known');
  return flags;
};
