/** The texts that a run has logged: the latest step first, several series side by side, another run's below. */
import type { JSX } from "preact";
import { api } from "../../api/api";
import { clock, count, step as stepText } from "../../lib/format";
import { many, one, setParams } from "../../state/location";
import type { TabProps } from "../../state/run-page";
import { runVersion } from "../../state/run-page";
import { Icon } from "../../ui/parts/icons";
import { Styled } from "../../ui/parts/log-lines";
import { Fault, useAnswer } from "../../ui/parts/parts";

const SIDE_BY_SIDE = 3;
const MAX_SHOWN = 16;
const CONSOLE = /^monitoring\/.*\/std(out|err)$/;

export function TextTab({ project, details: { id } }: TabProps): JSX.Element {
  const [base, search, until] = [one("base"), one("find"), one("until")];
  const { data: list, error } = useAnswer(
    () => api.runAttributes(project.name, id, { kind: "text", limit: 1000 }),
    [project, id, runVersion.value],
  );
  const paths = (list?.items ?? []).map((item) => item.path).filter((path) => !CONSOLE.test(path));
  const own = paths.filter((path) => !path.startsWith("monitoring/"));
  const chosen = many("text").filter((path) => paths.includes(path));
  const few = own.length <= SIDE_BY_SIDE ? own : own.slice(0, 1);
  const shown = chosen.length ? chosen : few.length ? few : paths.slice(0, 1);
  const { data, error: fault } = useAnswer(async () => {
    if (!shown.length) return null;
    const page = await api.texts(project.name, id, {
      path: shown,
      ...(until ? { until: Number(until) } : {}),
      q: search,
    });
    const steps = page.rows.map((row) => row.step);
    const other =
      base && base !== id && steps.length ? await api.texts(project.name, base, { path: shown, step: steps }) : null;
    return { ...page, shown, other: new Map(other?.rows.map((row) => [row.step, row.values])), hasOther: !!other };
  }, [project, id, base, search, until, shown.join("\n"), runVersion.value]);
  const toggle = (path: string): void => {
    const next = shown.includes(path) ? shown.filter((one) => one !== path) : [...shown, path];
    setParams({ text: next.slice(-MAX_SHOWN) });
  };
  if (error || fault) return <Fault text={error || fault} />;
  return (
    <div class="split">
      <div class="files">
        <label class="q low">
          <Icon name="search" isSmall />
          <input
            placeholder="Search the texts"
            aria-label="Search the texts"
            value={search}
            onInput={(event) => setParams({ find: event.currentTarget.value || null, until: null })}
          />
        </label>
        <h2>{paths.length > 1 ? "Shown side by side" : "Series"}</h2>
        {paths.map((path) => (
          <button type="button" class="fl" key={path} aria-pressed={shown.includes(path)} onClick={() => toggle(path)}>
            <Icon name="check" isSmall />
            <span>{path}</span>
          </button>
        ))}
        {list?.next && <p class="more dim">{count(list.total - list.items.length)} more</p>}
      </div>
      <div class="texts" tabIndex={0} role="region" aria-label="Texts">
        {data?.rows.map((row) => (
          <section key={row.step} aria-label={`Step ${stepText(row.step)}`}>
            <h3>
              step {stepText(row.step)} {row.time !== null && <i>{clock(row.time * 1000)}</i>}
            </h3>
            <div class="cols" style={{ "--n": String(data.shown.length) }}>
              {data.shown.map((path, i) => (
                <div key={path}>
                  {data.shown.length > 1 && <h4>{path}</h4>}
                  <Value text={row.values[i]} search={search} isCut={row.cut.includes(i)} />
                  {data.hasOther && (
                    <>
                      <h4>{project.run(base).name}</h4>
                      <Value text={data.other.get(row.step)?.[i]} search={search} isCut={false} />
                    </>
                  )}
                </div>
              ))}
            </div>
          </section>
        ))}
        {data && !data.rows.length && <p class="more dim">{search ? "No text has that." : "No texts yet."}</p>}
        <p class="more">
          {until && (
            <button type="button" class="btn" onClick={() => setParams({ until: null })}>
              Latest
            </button>
          )}{" "}
          {data?.next != null && (
            <button type="button" class="btn" onClick={() => setParams({ until: String(data.next) })}>
              Older
            </button>
          )}
        </p>
      </div>
    </div>
  );
}

function Value({
  text,
  search,
  isCut,
}: {
  text: string | null | undefined;
  search: string;
  isCut: boolean;
}): JSX.Element {
  if (text == null) return <p class="dim">nothing at this step</p>;
  return (
    <p>
      <Styled text={text} search={search} />
      {isCut && <span class="dim"> … cut here; Python reads all of it</span>}
    </p>
  );
}
