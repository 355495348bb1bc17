// Files that esbuild turns into strings. A relative "./page.css" is bundled
// into the page's style sheet instead and imported for its effect only.
declare module '*.svg' {
  const text: string;
  export default text;
}
declare module '*.css';
/** The button's style sheet, bundled and minified, as text for its shadow root. */
declare module 'button.css' {
  const text: string;
  export default text;
}
