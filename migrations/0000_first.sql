CREATE TABLE `attempts` (
	`task` text NOT NULL,
	`epoch` integer NOT NULL,
	`factory` text NOT NULL,
	`persona` text,
	`route_reason` text NOT NULL,
	`dispatched_at` integer NOT NULL,
	`claimed_at` integer,
	`ended_at` integer,
	`outcome` text,
	`reason` text DEFAULT '' NOT NULL,
	PRIMARY KEY(`task`, `epoch`)
);
--> statement-breakpoint
CREATE TABLE `conversations` (
	`turn` text PRIMARY KEY NOT NULL,
	`chat` integer NOT NULL,
	`user` text NOT NULL,
	`reply` text NOT NULL,
	`at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `conversations_chat` ON `conversations` (`chat`,`at`);--> statement-breakpoint
CREATE TABLE `factories` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`role` text NOT NULL,
	`status` text NOT NULL,
	`kid` text NOT NULL,
	`key_json` text NOT NULL,
	`gen` integer DEFAULT 0 NOT NULL,
	`facts_json` text,
	`rtt_ms` integer,
	`enrolled_at` integer NOT NULL,
	`last_heartbeat_at` integer,
	`connected_since` integer,
	`status_at` integer NOT NULL,
	`status_reason` text DEFAULT '' NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `factories_kid` ON `factories` (`kid`);--> statement-breakpoint
CREATE TABLE `facts` (
	`key` text PRIMARY KEY NOT NULL,
	`value` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `inbound_updates` (
	`id` integer PRIMARY KEY NOT NULL,
	`chat` integer NOT NULL,
	`inbound_json` text NOT NULL,
	`received_at` integer NOT NULL,
	`attempts` integer DEFAULT 0 NOT NULL,
	`started_at` integer,
	`finished_at` integer,
	`outcome` text
);
--> statement-breakpoint
CREATE INDEX `inbound_unfinished` ON `inbound_updates` (`finished_at`,`chat`,`id`);--> statement-breakpoint
CREATE TABLE `incidents` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`at` integer NOT NULL,
	`kind` text NOT NULL,
	`factory` text,
	`text` text NOT NULL,
	`digest` text NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `incidents_digest` ON `incidents` (`kind`,`digest`);--> statement-breakpoint
CREATE TABLE `join_codes` (
	`hash` text PRIMARY KEY NOT NULL,
	`factory` text NOT NULL,
	`name` text NOT NULL,
	`role` text NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`used_at` integer,
	`tries` integer DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE TABLE `letters` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`key` text NOT NULL,
	`chat` integer NOT NULL,
	`body_json` text NOT NULL,
	`refers_to` text,
	`version` integer DEFAULT 1 NOT NULL,
	`leased` integer,
	`created_at` integer NOT NULL,
	`not_before` integer NOT NULL,
	`lease_until` integer,
	`attempts` integer DEFAULT 0 NOT NULL,
	`sent_at` integer,
	`dropped_at` integer,
	`message` integer,
	`error` text DEFAULT '' NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `letters_key` ON `letters` (`key`);--> statement-breakpoint
CREATE INDEX `letters_due` ON `letters` (`sent_at`,`dropped_at`,`not_before`);--> statement-breakpoint
CREATE INDEX `letters_message` ON `letters` (`chat`,`message`);--> statement-breakpoint
CREATE TABLE `logins` (
	`hash` text PRIMARY KEY NOT NULL,
	`expires_at` integer NOT NULL,
	`used_at` integer
);
--> statement-breakpoint
CREATE TABLE `outbox` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`factory` text NOT NULL,
	`task` text NOT NULL,
	`epoch` integer NOT NULL,
	`sealed` text NOT NULL,
	`created_at` integer NOT NULL,
	`not_before` integer NOT NULL,
	`sent_at` integer,
	`attempts` integer DEFAULT 0 NOT NULL,
	`error` text DEFAULT '' NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `outbox_task` ON `outbox` (`task`,`epoch`);--> statement-breakpoint
CREATE INDEX `outbox_due` ON `outbox` (`sent_at`,`not_before`);--> statement-breakpoint
CREATE TABLE `seen_envelopes` (
	`issuer` text NOT NULL,
	`id` text NOT NULL,
	`expires_at` integer NOT NULL,
	PRIMARY KEY(`issuer`, `id`)
);
--> statement-breakpoint
CREATE INDEX `seen_expiry` ON `seen_envelopes` (`expires_at`);--> statement-breakpoint
CREATE TABLE `sessions` (
	`hash` text PRIMARY KEY NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `task_events` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`task` text NOT NULL,
	`epoch` integer NOT NULL,
	`seq` integer,
	`at` integer NOT NULL,
	`origin_at` integer,
	`kind` text NOT NULL,
	`text` text NOT NULL,
	`factory` text,
	`persona` text
);
--> statement-breakpoint
CREATE INDEX `task_events_task` ON `task_events` (`task`,`id`);--> statement-breakpoint
CREATE UNIQUE INDEX `task_events_origin` ON `task_events` (`task`,`epoch`,`seq`);--> statement-breakpoint
CREATE TABLE `tasks` (
	`id` text PRIMARY KEY NOT NULL,
	`chat` integer NOT NULL,
	`message` integer,
	`title` text NOT NULL,
	`instruction` text NOT NULL,
	`kind` text,
	`workspace` text,
	`wanted` text,
	`limits_json` text NOT NULL,
	`require_verified` integer NOT NULL,
	`state` text NOT NULL,
	`epoch` integer NOT NULL,
	`lost` integer DEFAULT 0 NOT NULL,
	`failed` integer DEFAULT 0 NOT NULL,
	`factory` text,
	`persona` text,
	`order_id` text,
	`code` text DEFAULT '' NOT NULL,
	`reason` text DEFAULT '' NOT NULL,
	`summary` text DEFAULT '' NOT NULL,
	`receipt_json` text,
	`lease_until` integer,
	`step` integer DEFAULT 0 NOT NULL,
	`live_cost` integer DEFAULT 0 NOT NULL,
	`cancel_requested` text,
	`log` text DEFAULT '' NOT NULL,
	`received_at` integer NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`ended_at` integer
);
--> statement-breakpoint
CREATE INDEX `tasks_state` ON `tasks` (`state`,`created_at`);--> statement-breakpoint
CREATE INDEX `tasks_factory` ON `tasks` (`factory`,`state`);--> statement-breakpoint
CREATE INDEX `tasks_created` ON `tasks` (`created_at`);--> statement-breakpoint
CREATE TABLE `turn_entries` (
	`turn` text NOT NULL,
	`seq` integer NOT NULL,
	`entry_json` text NOT NULL,
	PRIMARY KEY(`turn`, `seq`)
);
--> statement-breakpoint
CREATE TABLE `usages` (
	`id` text PRIMARY KEY NOT NULL,
	`task` text,
	`epoch` integer NOT NULL,
	`step` integer NOT NULL,
	`factory` text NOT NULL,
	`persona` text NOT NULL,
	`provider` text NOT NULL,
	`model` text NOT NULL,
	`at` integer NOT NULL,
	`recorded_at` integer NOT NULL,
	`duration_ms` integer NOT NULL,
	`uncached_in` integer NOT NULL,
	`cache_read` integer NOT NULL,
	`write_5m` integer NOT NULL,
	`write_1h` integer NOT NULL,
	`output` integer NOT NULL,
	`reasoning` integer NOT NULL,
	`source` text NOT NULL,
	`cost` integer,
	`outcome` text NOT NULL
);
--> statement-breakpoint
CREATE INDEX `usages_task` ON `usages` (`task`);--> statement-breakpoint
CREATE INDEX `usages_recorded` ON `usages` (`recorded_at`);