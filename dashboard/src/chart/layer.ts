/**
 * A canvas that is handed finished bitmaps.
 *
 * A browser without a GPU asks each canvas with a 2d context for its content in every frame, whether it has changed or
 * not, and draws on it only then, where no clock of ours sees it. This one costs nothing until it gets its next bitmap.
 */

let scratch: OffscreenCanvas | null = null;

export class Layer {
  readonly canvas = document.createElement("canvas");
  private readonly context: ImageBitmapRenderingContext;

  constructor(name: string) {
    this.canvas.className = `layer ${name}`;
    this.context = this.canvas.getContext("bitmaprenderer")!;
  }

  /** In CSS pixels. */
  resize(width: number, height: number): void {
    const ratio = devicePixelRatio || 1;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
  }

  draw(paint: (g: OffscreenCanvasRenderingContext2D) => void): void {
    const { width, height } = this.canvas;
    if (!width || !height) return;
    scratch ??= new OffscreenCanvas(width, height);
    if (scratch.width !== width || scratch.height !== height) [scratch.width, scratch.height] = [width, height];
    const g = scratch.getContext("2d")!;
    g.save();
    paint(g);
    g.restore();
    this.context.transferFromImageBitmap(scratch.transferToImageBitmap());
  }
}
