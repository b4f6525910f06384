ALTER TABLE `usages` ADD `try` integer DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE `usages` ADD `seat` text DEFAULT 'primary' NOT NULL;--> statement-breakpoint
ALTER TABLE `usages` ADD `engine` text DEFAULT 'uac' NOT NULL;--> statement-breakpoint
ALTER TABLE `usages` ADD `requested_model` text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE `usages` ADD `request_id` text;--> statement-breakpoint
ALTER TABLE `usages` ADD `message_id` text;--> statement-breakpoint
ALTER TABLE `usages` ADD `prices` text;--> statement-breakpoint
ALTER TABLE `usages` ADD `billing` text DEFAULT 'metered' NOT NULL;--> statement-breakpoint
ALTER TABLE `usages` ADD `billed` integer;--> statement-breakpoint
UPDATE `usages` SET `billed` = `cost`, `requested_model` = `model`;
