// A QR code as one path: made here, so that a token goes nowhere.
import qrcode from 'qrcode-generator';

const QUIET = 4; // modules around it, ISO/IEC 18004

export function Qr({ text, label }) {
  const code = qrcode(0, 'L');
  code.addData(text, 'Byte');
  code.make();
  const n = code.getModuleCount();
  let path = '';
  for (let row = 0; row < n; row++) {
    for (let column = 0; column < n; column++) {
      if (code.isDark(row, column)) path += `M${column + QUIET} ${row + QUIET}h1v1h-1z`;
    }
  }
  return (
    <svg class="qr" viewBox={`0 0 ${n + 2 * QUIET} ${n + 2 * QUIET}`} role="img" aria-label={label} shape-rendering="crispEdges">
      <path d={path} />
    </svg>
  );
}
