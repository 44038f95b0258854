/** XML through a DOM, both ways: nothing of it is ever concatenated. */
import { DOMImplementation, type Document, type Element, XMLSerializer } from '@xmldom/xmldom';
import { Fault } from '../../../runtime/fault.ts';

export { at, attribute, childrenOf, parseXml, textAt, wholeNumber } from '../../xml-read.ts';

/** One element to be; `import` carries one over from another document. */
export interface Piece {
  readonly name: string;
  readonly namespace?: string | undefined;
  readonly attributes: Attributes;
  readonly children: readonly Child[];
}
export type Attributes = Readonly<Record<string, string | number | undefined>>;
export type Child = Piece | Element | string | undefined | false;

/** An element with attributes (undefined ones are left out) and children. */
export const el = (name: string, attributes: Attributes = {}, ...children: readonly Child[]): Piece => ({
  name,
  attributes,
  children,
});

/** The same in a namespace of its own. */
export const elNs = (
  namespace: string,
  name: string,
  attributes: Attributes,
  ...children: readonly Child[]
): Piece => ({
  ...el(name, attributes, ...children),
  namespace,
});

const isPiece = (child: Piece | Element): child is Piece => 'attributes' in child && !('nodeType' in child);

/**
 * XML 1.0 section 2.2 without what no name of ours may hold: control characters (line ends would not come back as
 * they went), lone surrogates, U+FFFE and U+FFFF.
 */
const isXmlChar = (code: number): boolean =>
  (code >= 0x20 && code <= 0xd7ff && code !== 0x7f) || (code >= 0xe000 && code <= 0xfffd) || code >= 0x10000;

/** The text itself. Throws Fault `invalid` for characters that XML cannot carry. */
export const xmlText = (text: string): string => {
  for (const char of text) {
    if (!isXmlChar(char.codePointAt(0) ?? 0)) {
      throw new Fault('invalid', 'A name holds a control character, which the host cannot store.', {
        reason: 'InvalidCharacters',
      });
    }
  }
  return text;
};

const fill = (document: Document, piece: Piece): Element => {
  const element =
    piece.namespace === undefined
      ? document.createElement(piece.name)
      : document.createElementNS(piece.namespace, piece.name);
  for (const [name, value] of Object.entries(piece.attributes)) {
    if (value !== undefined) element.setAttribute(name, xmlText(String(value)));
  }
  for (const child of piece.children) {
    if (child === undefined || child === false) continue;
    if (typeof child === 'string') element.appendChild(document.createTextNode(xmlText(child)));
    else element.appendChild(isPiece(child) ? fill(document, child) : document.importNode(child, true));
  }
  return element;
};

/** The document as text. */
export const toXml = (piece: Piece): string => {
  const document = new DOMImplementation().createDocument(null, '');
  document.appendChild(fill(document, piece));
  return new XMLSerializer().serializeToString(document, { requireWellFormed: true });
};

/** Text of one element and all below it, for steps that hand a device back to the host. */
export const serialize = (element: Element): string =>
  new XMLSerializer().serializeToString(element, { requireWellFormed: true });
