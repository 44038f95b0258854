/** Code blocks and links of a Markdown file, as the documentation's test needs them. Pure. */

export interface Block {
  /** First word after the fence, such as sh or yaml. */
  readonly language: string;
  /** The rest of that line. */
  readonly info: string;
  readonly text: string;
  /** Line of the fence, from 1. */
  readonly line: number;
}

export const blocksOf = (markdown: string): readonly Block[] => {
  const blocks: Block[] = [];
  let open: { readonly language: string; readonly info: string; readonly line: number } | undefined;
  let text: string[] = [];
  for (const [index, line] of markdown.split('\n').entries()) {
    if (!line.startsWith('```')) {
      if (open !== undefined) text.push(line);
    } else if (open === undefined) {
      const [, language = '', info = ''] = /^```(\S*) ?(.*)$/.exec(line) ?? [];
      open = { language, info, line: index + 1 };
    } else {
      blocks.push({ ...open, text: `${text.join('\n')}\n` });
      open = undefined;
      text = [];
    }
  }
  return blocks;
};

/** Targets of links and pictures that are files of this repository, without their anchors. */
export const fileLinksOf = (markdown: string): readonly string[] =>
  [...markdown.matchAll(/\]\(([^)\s#]+)[^)]*\)|\bsrc="([^"]+)"/g)]
    .map((match) => match[1] ?? match[2] ?? '')
    .filter((target) => target !== '' && !/^[a-z]+:/.test(target));
