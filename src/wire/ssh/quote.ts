/** One word for a POSIX shell, whatever it holds (XCU 2.2.2): sshd hands commands to the user's shell. */
const quoteWord = (word: string): string => {
  if (word.includes('\0')) throw new TypeError('an argument holds a NUL character');
  return `'${word.replaceAll("'", `'\\''`)}'`;
};

export const quoteCommand = (argv: readonly string[]): string => argv.map(quoteWord).join(' ');
