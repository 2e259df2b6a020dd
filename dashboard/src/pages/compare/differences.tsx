/** The table of differences between runs. */
import type { JSX } from "preact";
import { change, count, counted, number } from "../../lib/format";
import { markdown, toNumber, toText } from "../../lib/values";
import { one, runLink, setParams } from "../../state/location";
import type { Project } from "../../state/project";
import { MAX_COMPARED } from "../../state/shell";
import { runColor } from "../../state/theme";
import { Skeleton } from "../../ui/parts/empty";
import { Icon } from "../../ui/parts/icons";
import { Item, Menu } from "../../ui/parts/menu";
import { IconButton, Seg, StateMark, stateText, useAnswer } from "../../ui/parts/parts";
import { copy } from "../../ui/parts/say";
import { Name } from "../../ui/runs/name";
import { RunPicker } from "../../ui/runs/picker";
import type { Compared, Part, Row } from "./data";
import { compared } from "./data";

export function AddRun({ project, ids }: { project: Project; ids: readonly string[] }): JSX.Element {
  return (
    <Menu
      label="Add a run"
      button={(toggle, isOpen) => (
        <button type="button" class="btn" aria-expanded={isOpen} disabled={ids.length >= MAX_COMPARED} onClick={toggle}>
          <Icon name="plus" isSmall />
          Run
        </button>
      )}
    >
      {(close) => (
        <RunPicker
          project={project.name}
          without={ids}
          onPick={(row) => {
            setParams({ runs: [...ids, row.id] });
            close();
          }}
        />
      )}
    </Menu>
  );
}

export function Differences({
  project,
  ids,
  base,
}: {
  project: Project;
  ids: readonly string[];
  base: string;
}): JSX.Element {
  const isAll = one("all") === "1";
  const text = one("rows");
  const { data, error } = useAnswer(
    () => compared(project, ids, base, isAll),
    [ids.join("\n"), isAll, project.metrics.value],
  );
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const parts = (data?.parts ?? []).map((part) => ({
    ...part,
    rows: part.rows.filter((row) =>
      words.every(
        (word) =>
          row.path.toLowerCase().includes(word) || row.values.some((v) => toText(v).toLowerCase().includes(word)),
      ),
    ),
  }));
  const baseRow = data?.runs[0];
  const remove = (id: string): void => setParams({ runs: ids.filter((one) => one !== id) });
  return (
    <>
      <div class="tools">
        <span class="h2">{counted(ids.length, "run")}</span>
        <label class="q low" style={{ maxWidth: "260px" }}>
          <Icon name="search" isSmall />
          <input
            placeholder="Filter rows"
            aria-label="Filter rows"
            value={text}
            onInput={(event) => setParams({ rows: event.currentTarget.value || null })}
          />
        </label>
        <Seg
          label="Rows"
          value={isAll ? "all" : "diff"}
          options={[
            ["diff", "Only differences"],
            ["all", "All"],
          ]}
          onChange={(value) => setParams({ all: value === "all" ? "1" : null })}
        />
        {data && !isAll && (
          <span class="dim">{data.same === 1 ? "1 config is" : `${count(data.same)} configs are`} the same</span>
        )}
        <span class="sp" />
        <span class="dim">Baseline</span>
        <Menu
          label="Baseline"
          button={(toggle, isOpen) => (
            <button type="button" class="btn" aria-expanded={isOpen} onClick={toggle}>
              {baseRow && <span class="sw" style={{ "--c": runColor(baseRow) }} />}
              <span class="t">{baseRow?.name ?? base}</span>
              <Icon name="down" isSmall />
            </button>
          )}
        >
          {(close) =>
            (data?.runs ?? []).map((run) => (
              <Item
                key={run.id}
                isChecked={run.id === base}
                onClick={() => {
                  setParams({ base: run.id, runs: [...ids] });
                  close();
                }}
              >
                {run.name}
              </Item>
            ))
          }
        </Menu>
        <AddRun project={project} ids={ids} />
        <button
          type="button"
          class="btn"
          disabled={!data}
          onClick={() => data && copy(asMarkdown(data, parts), "Copied as Markdown")}
        >
          <Icon name="copy" isSmall />
          Markdown
        </button>
      </div>
      {error && <p class="fault">{error}</p>}
      {data?.truncated && <p class="fault">There are more differences than are shown: filter them.</p>}
      {!data && !error && <Skeleton />}
      <table class="cmp" hidden={!data}>
        <thead>
          <tr>
            <td />
            {(data?.runs ?? []).map((run, i) => (
              <th key={run.id} scope="col">
                <div class="lrow">
                  <span class="sw" style={{ "--c": runColor(run) }} />
                  <a class="t" title={run.name} href={runLink(project.name, run.id)}>
                    <Name text={run.name} />
                  </a>
                  <IconButton icon="close" label={`Leave out ${run.name}`} isSmall onClick={() => remove(run.id)} />
                </div>
                <div class="lrow dim">
                  <StateMark state={run.state} reason={run.reason} />{" "}
                  {i ? stateText(run.state, run.reason) : "baseline"}
                </div>
              </th>
            ))}
          </tr>
        </thead>
        {parts
          .filter((part) => part.rows.length)
          .map((part) => (
            <tbody key={part.name}>
              <tr class="sec">
                <th scope="rowgroup" colSpan={ids.length + 1}>
                  {part.name} <span class="dim">{part.rows.length}</span>
                </th>
              </tr>
              {part.rows.map((row) => (
                <ComparedRow key={row.path} row={row} />
              ))}
            </tbody>
          ))}
      </table>
      {data && !parts.some((part) => part.rows.length) && (
        <p class="more dim" style={{ padding: "0 14px" }}>
          Nothing differs.
        </p>
      )}
    </>
  );
}

function ComparedRow({ row }: { row: Row }): JSX.Element {
  const numbers = row.values.map(toNumber);
  const finite = numbers.filter((v): v is number => v !== null && Number.isFinite(v));
  const best = row.sign && finite.length > 1 ? (row.sign > 0 ? Math.max(...finite) : Math.min(...finite)) : null;
  const [base] = numbers;
  const ids = row.values.length;
  return (
    <tr>
      <th scope="row" title={row.path}>
        {row.path}
      </th>
      {row.values.map((value, i) => {
        const isSame = toText(value) === toText(row.values[0]);
        if (row.sign === null) {
          const isFurther = row.isOther && isSame && i > 0 && ids < 3;
          return (
            <td key={i} class={i === 0 ? "" : isSame && !isFurther ? "same" : "df"} title={toText(value)}>
              {value === null ? "–" : toText(value)}
              {isFurther && <span class="dim"> … differs further on</span>}
            </td>
          );
        }
        const v = numbers[i] ?? null;
        const delta = i && v !== null && base !== null && base !== undefined ? change(v, base) : "";
        const isBetter = v !== null && base !== null && base !== undefined && (v - base) * row.sign > 0;
        return (
          <td key={i} class={v !== null && v === best ? "bst" : ""} title={toText(value)}>
            {v === null ? "–" : number(v)}
            {v !== null && v === best && (
              <span class="up" aria-label="best">
                {" "}
                ●
              </span>
            )}
            {delta && (
              <span class={row.sign === 0 || v === base ? "dl dim" : isBetter ? "dl up" : "dl dn"}>{delta}</span>
            )}
          </td>
        );
      })}
    </tr>
  );
}

function asMarkdown(data: Compared, parts: readonly Part[]): string {
  return markdown(
    ["", ...data.runs.map((run) => run.name)],
    parts.flatMap((part) =>
      part.rows.map((row) => [
        row.path,
        ...row.values.map((v) => (row.sign === null ? toText(v) : number(toNumber(v)))),
      ]),
    ),
  );
}
