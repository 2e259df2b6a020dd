/** What plugins show of a run. All of it is text from elsewhere, and is set as text. */
import type { JSX } from "preact";
import type { PanelBlock } from "../../api/api";
import { api } from "../../api/api";
import { number } from "../../lib/format";
import { toText } from "../../lib/values";
import { runVersion } from "../../state/run-page";
import { useAnswer } from "../../ui/parts/parts";

export function Panels({ project, id }: { project: string; id: string }): JSX.Element {
  const { data } = useAnswer(() => api.panels(project, id), [project, id, runVersion.value]);
  return (
    <>
      {data?.panels.map((panel) => (
        <section class="card" key={panel.name} aria-label={panel.title}>
          <header>
            <h2 class="ttl">{panel.title}</h2>
          </header>
          <div class="panel">
            {panel.problem && <p role="alert">{panel.problem}</p>}
            {panel.blocks.map((block, i) => (
              <Block key={i} block={block} />
            ))}
          </div>
        </section>
      ))}
    </>
  );
}

function Block({ block }: { block: PanelBlock }): JSX.Element {
  if (block.kind === "text") return <p>{block.text}</p>;
  if (block.kind === "bars") return <Bars labels={block.labels} values={block.values} />;
  return (
    <div class="wide" tabIndex={0} role="region" aria-label="Table">
      <table>
        <thead>
          <tr>
            {block.columns.map((column) => (
              <th key={column} scope="col">
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {block.rows.map((row, i) => (
            <tr key={i}>
              {row.map((cell, k) => (
                <td key={k} class={typeof cell === "number" ? "num" : ""}>
                  {typeof cell === "number" ? number(cell) : toText(cell)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Bars({ labels, values }: { labels: readonly string[]; values: readonly number[] }): JSX.Element {
  const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
  const span = high - low || 1;
  return (
    <dl class="bars">
      {labels.map((label, i) => {
        const value = values[i]!;
        const bar = {
          "--from": `${((Math.min(0, value) - low) / span) * 100}%`,
          "--part": `${(Math.abs(value) / span) * 100}%`,
        };
        return [
          <dt key={`${i} ${label}`} title={label}>
            {label}
          </dt>,
          <dd key={`${i} bar`} style={bar}>
            <i />
            <span>{number(value)}</span>
          </dd>,
        ];
      })}
    </dl>
  );
}
