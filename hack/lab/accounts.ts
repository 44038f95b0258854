import { readFileSync } from 'node:fs';

/** An account of a lab's machine that is not root; '*' is no valid hash: only its key opens it. */
export type LabAccount = { name: string; id: number };

/**
 * /etc/passwd and /etc/group of a lab's machine: those of this machine and one account more. Root has a shell that
 * reads no files of its own: sshd runs commands by it, and bash would first run whatever is in ~/.bashrc here.
 */
export const accountFiles = ({ name, id }: LabAccount): { passwd: string; group: string } => ({
  passwd: `${readFileSync('/etc/passwd', 'utf8').replace(/^(root:.*:)[^:]*$/m, '$1/bin/sh')}${name}:*:${id}:${id}::/tmp:/bin/sh\n`,
  group: `${readFileSync('/etc/group', 'utf8')}${name}:x:${id}:\n`,
});
