// The font lies beside the bundle. Only what MyST marks as math is typeset. What a screen reader says of a formula is made by a
// worker, which a page from the disk may not start: there the formula's MathML stands behind it instead.
const served = location.protocol !== "file:";
window.MathJax = {
  loader: { paths: { fonts: "[mathjax]/fonts" } },
  options: {
    ignoreHtmlClass: "tex2jax_ignore|mathjax_ignore|document",
    processHtmlClass: "tex2jax_process|mathjax_process|math|output_area",
    enableMenu: false,
    menuOptions: { settings: { speech: served, braille: served, assistiveMml: !served } },
  },
};
