/**
 * `node hack/demo/picture.ts < output > docs/images/demo.svg`: draws the output of `make demo EXIT=1` as a terminal.
 * Lines are chosen, never changed but for being cut at the right.
 */
import { readFileSync } from 'node:fs';

const columns = 124;
const cell = { width: 7.25, height: 17 };
const padding = 16;

/** What a reader follows the story by: commands, steps, the machine and its disks, what guest, virsh and servers say. */
const chosen: readonly RegExp[] = [
  /^== (A|It) /,
  / is at [\d.]+, (reached by|an? )/,
  / {2}seen {3}(?!every|the quick|the hosts|the machine has)/,
  /\$ kubectl (apply|get (oimg|osp$)|delete|patch)/,
  /\$ virsh (list|dom(blklist|ifaddr)|destroy)/,
  / {2}VirtualMachine team-a.*(ready=(-|True)|gone)/,
  /\| (ovcp-guest|NAMESPACE {3}NAME {28}POWER|team-a +virtualmachine\.)/,
  /\| +(vd[abc]|vnet0 +\S+ +ipv4|\d+) {2,}/,
  / it runs again /,
  / (g[123] \$ (gluster volume|ls )|san \$ tgtadm)/,
  /\| (Type: |Number of Bricks: |Brick\d: |kept on |written without|Degraded: |entries that wait|No volumes|ovcp-(disk|pool)-)/,
  /\| (Target | +Initiator: | +LUN: 1$| +Size: )/,
  /\| (NAME {4}DRIVER|gv0 +gluster|san +iscsi)/,
  / # (echo|dd) /,
  / (loses its power|has power again|is as it was)/,
];

const escape = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

const cut = (line: string): string => (line.length > columns ? `${line.slice(0, columns - 1)}…` : line);

const colourOf = (line: string): string => {
  if (line.startsWith('==')) return '#ffffff';
  if (/ {2}seen {3}/.test(line)) return '#7ee787';
  if (/\$ (kubectl|virsh|gluster|tgtadm)| # echo/.test(line)) return '#79c0ff';
  if (/\| ovcp-guest/.test(line)) return '#ffd866';
  return /^ +\|/.test(line) ? '#a5d6d6' : '#c9d1d9';
};

/** The chosen lines up to the summary. */
export const chooseLines = (output: string): readonly string[] => {
  const end = output.indexOf('\n== Seen');
  const lines = output.slice(0, end < 0 ? undefined : end).split('\n');
  const picked = lines.filter((line) => chosen.some((pattern) => pattern.test(line)));
  return picked.flatMap((line) => (line.startsWith('==') ? ['', line] : [cut(line)]));
};

/** `lines` as a picture of a terminal that was asked for `command`. */
export const draw = (command: string, lines: readonly string[]): string => {
  const all = [`# ${command}`, ...lines];
  const width = Math.ceil(columns * cell.width + 2 * padding);
  const height = (all.length + 1) * cell.height + 2 * padding;
  const rows = all.map((line, index) => {
    const y = padding + (index + 1.5) * cell.height;
    return `<text x="${padding}" y="${y}" fill="${index === 0 ? '#ffffff' : colourOf(line)}">${escape(line)}</text>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`,
    `<rect width="${width}" height="${height}" rx="8" fill="#0d1117"/>`,
    `<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="12" xml:space="preserve">`,
    ...rows,
    '</g>',
    '</svg>',
    '',
  ].join('\n');
};

if (import.meta.main) {
  process.stdout.write(draw('make demo EXIT=1', chooseLines(readFileSync(0, 'utf8'))));
}
