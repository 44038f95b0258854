import { expect, it } from 'vitest';
import { chooseLines, draw } from './picture.ts';

const output = [
  '== A machine from YAML',
  '   20.0 s  StoragePool local  driver=dir',
  '   21.0 s  VirtualMachine team-a/web-1  power=PoweredOn host=kvm.node1 ip=- ready=True reason=Running',
  '           | ovcp-guest ready hostname=<web-1>',
  '',
  '== Seen',
  '           | ovcp-guest ready of the summary',
].join('\n');

it('chooses the lines of the story, unchanged, and leaves the summary out', () => {
  expect(chooseLines(output)).toEqual([
    '',
    ...output.split('\n').filter((_, line) => [0, 2, 3].includes(line)),
  ]);
});

it('draws them as text, escaped', () => {
  const picture = draw('make demo', chooseLines(output));
  expect(picture).toContain('hostname=&lt;web-1&gt;</text>');
  expect(picture.match(/<text /g)).toHaveLength(5);
});
