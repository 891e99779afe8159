// What Grafana reads from a dashboard of time series: its own types, stricter about panels and their queries.
import type { Dashboard, DataQuery, Panel, RowPanel } from "@grafana/schema";
import type {
  FieldConfig,
  Options,
} from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";

// What JSON has in the place of an enumeration: its values.
type Json<T> = T extends string
  ? `${T}`
  : T extends readonly (infer Item)[]
    ? Json<Item>[]
    : T extends object
      ? { [Key in keyof T]: Json<T[Key]> }
      : T;
type Query = DataQuery & { expr: string; legendFormat?: string };
type Chart = Omit<Panel<Options, FieldConfig>, "type" | "options" | "targets"> & {
  type: "timeseries";
  options: Options;
  targets: Query[];
};
type Row = Omit<RowPanel, "type"> & { type: "row" };

export type TimeSeriesDashboard = Json<Omit<Dashboard, "panels"> & { panels: (Row | Chart)[] }>;
